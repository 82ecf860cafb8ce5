#!/bin/sh
# make install, make uninstall: install.sh install|uninstall <build folder>, with PREFIX and DESTDIR.
# One list serves both, so that uninstall removes what install made: the files, and the folders that are ours alone.
set -eu
umask 022

action=$1
build=$2
standard=/usr/local
root=${DESTDIR:-}$PREFIX

case $PREFIX in
/*) ;;
*) echo "install: PREFIX=$PREFIX must be an absolute path" >&2; exit 1 ;;
esac
case $PREFIX in
*[!A-Za-z0-9/._+-]*) echo "install: PREFIX=$PREFIX: only letters, digits and / . _ + - can stand in the files" >&2; exit 1 ;;
esac

# put <mode> <file> <target below PREFIX>: programs as they are, texts with the installed paths.
put() {
	if [ "$action" = uninstall ]; then
		rm -f "$root/$3"
		return
	fi
	mkdir -p "$(dirname "$root/$3")"
	if [ "$1" = 755 ]; then
		install -m 755 "$2" "$root/$3"
	else
		rm -f "$root/$3"
		sed "s,$standard/lib/,$PREFIX/lib/,g; s,$standard/share/,$PREFIX/share/,g" "$2" >"$root/$3"
		chmod "$1" "$root/$3"
	fi
}

put 755 "$build/claude-proxy-admin" bin/claude-proxy-admin
put 755 "$build/claude-proxy.fcgi" lib/claude-proxy/claude-proxy.fcgi
put 644 cli/claude-proxy-admin.1 share/man/man1/claude-proxy-admin.1
put 644 fcgi/claude-proxy.fcgi.8 share/man/man8/claude-proxy.fcgi.8
put 644 fcgi/claude-proxy.env.5 share/man/man5/claude-proxy.env.5
put 644 fcgi/claude-proxy.7 share/man/man7/claude-proxy.7
put 644 cli/claude-proxy-admin.bash share/bash-completion/completions/claude-proxy-admin
put 644 cli/claude-proxy-admin.zsh share/zsh/site-functions/_claude-proxy-admin
put 644 cli/claude-proxy-admin.fish share/fish/vendor_completions.d/claude-proxy-admin.fish
put 644 fcgi/deploy/claude-proxy.service lib/systemd/system/claude-proxy.service
put 644 fcgi/deploy/claude-proxy.socket lib/systemd/system/claude-proxy.socket
put 644 fcgi/deploy/claude-proxy.sysusers lib/sysusers.d/claude-proxy.conf
put 644 fcgi/deploy/claude-proxy.tmpfiles lib/tmpfiles.d/claude-proxy.conf
put 644 fcgi/deploy/claude-proxy.logrotate share/doc/claude-proxy/examples/claude-proxy.logrotate
for text in README.md fcgi/deploy/README.zh-CN.md LICENSE fcgi/deploy/CHANGELOG.md fcgi/deploy/SECURITY.md; do
	put 644 "$text" "share/doc/claude-proxy/$(basename "$text")"
done
for example in lighttpd.conf.example fcgi/deploy/*.example fcgi/deploy/grafana-dashboard.json fcgi/deploy/prometheus.rules.yml; do
	[ ! -f "$example" ] || put 644 "$example" "share/doc/claude-proxy/examples/$(basename "$example")"
done

if [ "$action" = uninstall ]; then
	for folder in share/doc/claude-proxy/examples share/doc/claude-proxy lib/claude-proxy; do
		rmdir "$root/$folder" 2>/dev/null || true
	done
fi
