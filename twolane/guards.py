"""The guards: state → Refusal, or None. One function for each row of the README's table.

They know nothing of Invoke, of printing or of connections. Commands call them in their bodies.
"""

from __future__ import annotations
