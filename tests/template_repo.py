"""The template as a git repository with releases, each of which changes it as a release would."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import copier
from service import ROOT, Service, owned

FIRST, LAST = "0.1.0", "0.6.0"
RLS = "supabase/sql/03_rls_ai_tables.sql"
LOOSE = "using ((select auth.uid()) = user_id);"
STRICT = "using ((select auth.uid()) = user_id and (select auth.jwt()) ->> 'aal' = 'aal2');"
SESSION = "src/crm/db/session.py"
RENAMED = ("tests/test_tenant_isolation.py", "tests/test_isolation.py")
_SESSION = "template/src/{{package_name}}/db/session.py"
AUDIT = """create schema if not exists audit;
create table if not exists audit.events (id uuid primary key default gen_random_uuid());
"""


@dataclass(frozen=True)
class Template:
    """A git repository of the template."""

    folder: Path

    def git(self, *arguments: str) -> str:
        command = ["git", "-C", str(self.folder), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    def edit(self, path: str, change: Callable[[str], str]) -> None:
        """Changes a file, below the template's root; the change must change something."""
        file = self.folder / path
        before = file.read_text(encoding="utf-8")
        after = change(before)
        assert after != before, path
        file.write_text(after, encoding="utf-8")

    def replace(self, path: str, old: str, new: str) -> None:
        self.edit(path, lambda text: text.replace(old, new))

    def release(self, version: str, upgrading: str) -> None:
        note = f"## {version}\n\n- A change.\n\nUpgrading: {upgrading}\n\n"
        self.edit(
            "CHANGELOG.md", lambda text: re.sub("^## ", f"{note}## ", text, count=1, flags=re.M)
        )
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", version)
        self.git("tag", "--annotate", "--message", version, version)

    def render(self, folder: Path, version: str = FIRST) -> Service:
        """A service of that version, committed; rendered once, then copied."""
        cached = self.folder.with_name(f"{version}-rendered") / "crm"
        if not cached.exists():
            answers = {"project_name": "CRM"}
            copier.run_copy(
                str(self.folder),
                cached,
                answers,
                vcs_ref=version,
                defaults=True,
                quiet=True,
                skip_tasks=True,
            )
            owned(cached)
        shutil.copytree(cached, folder)
        return Service(folder)


def make(folder: Path) -> Template:
    """This checkout's template as version 0.1.0, and the releases after it."""
    ignored = shutil.ignore_patterns("__pycache__", ".*_cache")
    shutil.copytree(ROOT / "template", folder / "template", ignore=ignored)
    shutil.copy(ROOT / "copier.yml", folder)
    (folder / "CHANGELOG.md").write_text("# Changelog\n\n## 0.0.1\n\nUpgrading: ancient.\n")
    template = Template(folder)
    template.git("init", "--quiet", "--initial-branch=main")
    template.git("config", "user.name", "Maintainer")
    template.git("config", "user.email", "maintainer@example.invalid")
    template.release(FIRST, "nothing to upgrade from.")
    _the_session_is_mended(template)
    _a_file_comes_into_the_middle_of_the_order(template)
    _a_policy_is_tightened(template)
    _a_file_is_renamed(template)
    _a_question_is_added(template)
    _lines_that_owners_edit_change(template)
    _commands_of_its_own(template)
    return template


def _the_session_is_mended(template: Template) -> None:
    reason = "DATABASE_URL is not set, neither in the environment nor in .env. "
    template.replace(_SESSION, reason, f"{reason}Set it. ")
    template.release("0.2.0", "nothing to do.")


def _a_file_comes_into_the_middle_of_the_order(template: Template) -> None:
    (template.folder / "template/supabase/sql/02b_audit.sql").write_text(AUDIT)
    before = "03_rls_ai_tables.sql"
    template.replace("template/supabase/bootstrap.txt.jinja", before, f"02b_audit.sql\n{before}")
    template.release("0.3.0", "invoke db.apply, then invoke db.sync.")


def _a_policy_is_tightened(template: Template) -> None:
    template.replace(f"template/{RLS}", LOOSE, STRICT)
    for name in ("schema.lock.json", "introspected.py"):
        template.edit(f"template/starters/omnicrm/{name}", lambda text: f"{text}\n")
    template.release("0.4.0", "insights need a second factor now.\nThen:\n\n- invoke db.apply")


def _a_file_is_renamed(template: Template) -> None:
    template.git("mv", *(f"template/{name}" for name in RENAMED))
    template.release("0.5.0", "nothing to do.")


def _a_question_is_added(template: Template) -> None:
    template.edit("copier.yml", lambda text: f'{text}\nregion:\n  type: str\n  default: "eu"\n')
    region = "# Region: {{ region }}"
    template.edit("template/supabase/config.toml.jinja", lambda text: f"{text}{region}\n")
    template.edit("template/README.md.jinja", lambda text: f"{text}\nIn region {{{{ region }}}}.\n")
    template.release(LAST, "nothing to do.")


def _lines_that_owners_edit_change(template: Template) -> None:
    """0.7.0: what the tests of conflicts change as well, a file less, a file more."""
    template.replace(f"template/{RLS}", STRICT, STRICT.replace("aal2", "aal3"))
    template.git("rm", "--quiet", "template/tests/test_barrel.py")
    (template.folder / "template/tests/reports.py").write_text('"""The template\'s."""\n')
    template.release("0.7.0", "read the conflicts.")


def _commands_of_its_own(template: Template) -> None:
    template.edit("copier.yml", lambda text: f"{text}\n_tasks:\n  - touch ran\n")
    template.release("0.8.0", "files move, which needs a command: --trust.")
