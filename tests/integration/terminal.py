"""A program at a terminal: what somebody types, and what he sees."""
import contextlib
import os
import pty
import re
import select
import subprocess
import termios
import time


class Terminal:
    """Runs one command on a pseudo-terminal of its own; a context manager."""

    def __init__(self, command, env, cwd=None, columns=100):
        self.descriptor, side = pty.openpty()
        termios.tcsetwinsize(side, (24, columns)) if hasattr(termios, "tcsetwinsize") else None
        self.screen = ""  # all that was written; what was expected is cut off
        self.process = subprocess.Popen(command, stdin=side, stdout=side, stderr=side, env=env, cwd=cwd, start_new_session=True,
                                        preexec_fn=lambda: self.take_over(side))
        os.close(side)

    @staticmethod
    def take_over(side):
        """Make it the controlling terminal, so that Ctrl-C is a signal."""
        import fcntl
        fcntl.ioctl(side, termios.TIOCSCTTY, 0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.descriptor)

    def read(self, seconds):
        """Take in what is written within that time; False at the end."""
        if not select.select([self.descriptor], [], [], seconds)[0]:
            return True
        with contextlib.suppress(OSError):
            data = os.read(self.descriptor, 65536)
            self.screen += data.decode().replace("\r\n", "\n")
            return bool(data)
        return False

    def expect(self, text, seconds=20):
        """Wait until the text shows; all that was written up to its end."""
        deadline = time.monotonic() + seconds
        going = True
        while text not in self.screen and going and time.monotonic() < deadline:
            going = self.read(0.2)
        assert text in self.screen, (text, self.screen)
        before, self.screen = self.screen.split(text, 1)
        return before + text

    def type(self, text):
        os.write(self.descriptor, text.encode())

    def answer(self, answers, seconds=120):
        """Type the answer to each prompt, whose end is given as a pattern, until the command ends; all that was written, and the
        exit status."""
        deadline = time.monotonic() + seconds
        before = ""
        while self.read(0.2) and time.monotonic() < deadline:
            found = next((text for prompt, text in answers if re.search(f"(?:{prompt})$", plain(self.screen))), None)
            if found is not None:
                before, self.screen = before + self.screen, ""
                self.type(found + "\n")
        assert time.monotonic() < deadline, (before + self.screen)[-2000:]
        return before + self.screen, self.process.wait(20)

    def end(self, seconds=20):
        """Wait for the end; what was written, and the exit status."""
        deadline = time.monotonic() + seconds
        while self.read(0.2) and time.monotonic() < deadline:
            pass
        return self.screen, self.process.wait(seconds)


def plain(text):
    """Without the escape sequences of colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)
