"""The exit codes that scripts can trust: 0 done, 1 an error, 2 refused, 3 differences found."""

from __future__ import annotations

ERROR, REFUSED, DIFFERENT, INTERRUPTED = 1, 2, 3, 130
