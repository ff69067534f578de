"""A terminal, as far as what is printed asks for one."""

import io


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True
