/*
 * Where systems keep the CA bundle; see ca_bundle.h.
 */
#include "upstream/ca_bundle.h"

#include <curl/curl.h>
#include <stddef.h>
#include <unistd.h>

static const char *const places[] = {
	"/etc/ssl/certs/ca-certificates.crt",                /* Debian, Arch, Gentoo */
	"/etc/pki/tls/certs/ca-bundle.crt",                  /* Red Hat */
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* Red Hat, later */
	"/etc/ssl/ca-bundle.pem",                            /* SUSE */
	"/etc/ssl/cert.pem",                                 /* Alpine, BSD, macOS */
	"/usr/local/share/certs/ca-root-nss.crt",            /* FreeBSD */
};

const char *
ca_bundle_file(void)
{
	const curl_version_info_data *curl = curl_version_info(CURLVERSION_NOW);
	const char *own = curl->age >= CURLVERSION_SEVENTH ? curl->cainfo : NULL;

	if (own != NULL && access(own, R_OK) == 0)
		return own;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (access(places[i], R_OK) == 0)
			return places[i];
	return own;
}
