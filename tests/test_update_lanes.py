"""An update of a service whose database exists: what is pending then, and both lanes go on."""

from pathlib import Path

import pytest
import template_repo
from conftest import NewDatabase
from servers import PostgresServer
from service import APP, DEV_MARKERS, Service
from steps import columns, tables
from template_repo import FIRST, RENAMED, RLS

POLICY = "select qual from pg_policies where policyname = 'ai_insights_select_own'"


@pytest.fixture
def lived(
    server: "PostgresServer", new_database: NewDatabase, platform: str, tmp_path: Path
) -> Service:
    """A service of the first version, with a database and a table of lane B in it."""
    template = template_repo.make(tmp_path / "twolane")
    service = template.render(tmp_path / "crm", FIRST)
    service.env |= {"DATABASE_URL": new_database(platform), "SHADOW_DATABASE_URL": server.get_uri()}
    service.write_app(DEV_MARKERS)
    service.invoke("db.bootstrap")
    service.invoke("db.gen", "-m", "add dev markers")
    service.invoke("db.push")
    service.commit()
    return service


def test_both_lanes_go_on_after_an_update(lived: Service) -> None:
    lock = lived.read("supabase/schema.lock.json")
    done = lived.invoke("template.update", "--to", "0.5.0")
    assert done.out.index("~ supabase/sql/03_rls_ai_tables.sql") < done.out.index(
        "Upgrading to 0.4.0"
    )
    assert "insights need a second factor now.\n    Then:\n\n    - invoke db.apply" in done.out
    assert "Upgrading to 0.1.0" not in done.out and "ancient" not in done.out
    assert done.out.endswith("Then:  invoke db.check\n")
    checked = lived.invoke("db.check", code=3)
    assert "✗ mirror " in checked.out and "✓ replay" in checked.out
    assert lived.read("supabase/schema.lock.json") == lock
    lived.commit()

    status = lived.invoke("db.status").out
    assert "02b_audit.sql" in status and Path(RLS).name in status
    assert "aal2" not in lived.sql(POLICY)[0][0]
    applied = lived.invoke("db.apply").out
    assert "02b_audit.sql, 03_rls_ai_tables.sql" in applied
    assert "aal2" in lived.sql(POLICY)[0][0] and tables(lived, "audit") == {"events"}
    lived.invoke("db.sync")

    app = lived.read(APP)
    lived.write(
        APP,
        app.replace(
            "    label: Mapped[str]\n", "    label: Mapped[str]\n    n: Mapped[int | None]\n"
        ),
    )
    lived.invoke("db.gen", "-m", "number them")
    lived.invoke("db.push")
    assert "n" in columns(lived, "dev_markers")
    lived.invoke("db.check")
    lived.invoke("template.check", code=3)
    assert not (lived.folder / RENAMED[0]).exists()
