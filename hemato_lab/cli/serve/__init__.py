"""``hemato-lab serve``: a twin of the Hemato.AI Diagnostic API on this machine."""

from hemato_lab.cli.serve.admin import admin
from hemato_lab.cli.serve.running import serve

serve.add_typer(admin, name="admin")

__all__ = ["serve"]
