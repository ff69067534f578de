"""The guide's example of an API, run as it stands: each request acts as who signed in."""

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import jwt
import psycopg
import pytest
from conftest import ROOT, NewDatabase
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sample_rows import ALICE, BOB
from service import Service, clean_environment
from user_sessions import with_two_users

KEY, FOREIGN = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
# What the example's own process does. Each request: method, path, token.
CLIENT = """
import json, sys
from fastapi.testclient import TestClient
from api import app

answers = []
with TestClient(app, raise_server_exceptions=False) as client:
    for method, path, token in json.loads(sys.argv[1]):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = client.request(method, path, headers=headers)
        answers.append([answer.status_code, answer.json() if answer.status_code == 200 else None])
print(json.dumps(answers))
"""


class Keys(BaseHTTPRequestHandler):
    """The project's published keys."""

    published: ClassVar[bytes] = b""

    def do_GET(self) -> None:
        found = self.path == "/auth/v1/.well-known/jwks.json"
        self.send_response(200 if found else 404)
        self.end_headers()
        self.wfile.write(self.published if found else b"")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def project() -> Iterator[str]:
    """The URL of a project that signs by `KEY`."""
    public = jwt.algorithms.ECAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
    keys = [{**public, "kid": "one", "alg": "ES256", "use": "sig"}]
    Keys.published = json.dumps({"keys": keys}).encode()
    with HTTPServer(("127.0.0.1", 0), Keys) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def database(lasting_database: NewDatabase, bootstrapped: str) -> str:
    """One contact of Alice and one of Bob; that a name is `late` is found out at the commit."""
    url = with_two_users(lasting_database, bootstrapped)
    with psycopg.connect(url) as connection:
        connection.execute(
            """
            create function public.be_in_time() returns trigger language plpgsql as $$
            begin
                if new.display_name = 'late' then raise exception 'too late'; end if;
                return null;
            end $$;
            create constraint trigger be_in_time after insert on public.contacts
                deferrable initially deferred for each row execute function public.be_in_time()
            """
        )
    return url


Ask = Callable[..., list[Any]]


@pytest.fixture
def ask(database: str, project: str, blank_service: Service, tmp_path: Path) -> Ask:
    """Ask the guide's API: `ask(("get", "/contacts", token), …)` gives status and JSON of each."""
    page = (ROOT / "docs/fastapi.md").read_text()
    (example,) = re.findall(r"```python\n# src/my_service/api\.py\n(.*?)```", page, re.DOTALL)
    (tmp_path / "api.py").write_text(example.replace("my_service", "crm"))
    modules = os.pathsep.join([str(tmp_path), str(blank_service.folder / "src")])
    settings = {"DATABASE_URL": database, "SUPABASE_URL": project, "PYTHONPATH": modules}
    settings["PYTHONDONTWRITEBYTECODE"] = "1"  # others copy that folder meanwhile

    def run(*requests: tuple[str, str, str]) -> list[Any]:
        done = subprocess.run(
            [sys.executable, "-c", CLIENT, json.dumps(requests)],
            env=clean_environment() | settings,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return list(json.loads(done.stdout))

    return run


def token(user: str, key: Any = KEY, algorithm: str = "ES256", **claims: Any) -> str:
    """A user's token, as Supabase signs it; its issuer is set by the caller."""
    usual = {
        "sub": user,
        "aud": "authenticated",
        "role": "authenticated",
        "exp": int(time.time()) + 60,
    }
    return jwt.encode(usual | claims, key, algorithm=algorithm, headers={"kid": "one"})


def test_each_request_acts_as_who_signed_in(ask: Ask, project: str) -> None:
    alice, bob = (token(user, iss=f"{project}/auth/v1") for user in (ALICE, BOB))
    answers = ask(
        ("get", "/contacts", alice),
        ("post", "/contacts?name=Zoe", alice),
        ("get", "/contacts", bob),
        ("get", "/contacts", alice),
        ("post", "/contacts?name=late", alice),
        ("get", "/contacts", alice),
    )
    both = [200, ["Ada", "Zoe"]]
    assert answers == [[200, ["Ada"]], [201, None], [200, ["Ada"]], both, [500, None], both]


def test_a_token_that_is_not_the_projects_gets_401(ask: Ask, project: str) -> None:
    mine = {"iss": f"{project}/auth/v1"}
    published = KEY.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    bad = {
        "expired": token(ALICE, exp=int(time.time()) - 1, **mine),
        "foreign key": token(ALICE, FOREIGN, **mine),
        "another project": token(ALICE, iss="https://other.example/auth/v1"),
        "unsigned": token(ALICE, None, "none", **mine),
        "the public key as a secret": token(ALICE, published, "HS256", **mine),
        "anon's": token(ALICE, aud="anon", role="anon", **mine),
        "of the service's role": token(ALICE, role="service_role", **mine),
        "nobody's": token("", **mine),
        "no token at all": "",
        "nonsense": "a.b.c",
    }
    header, _, signature = token(ALICE, **mine).split(".")
    payload = token(BOB, **mine).split(".")[1]
    bad["forged"] = f"{header}.{payload}.{signature}"
    answers = ask(*(("get", "/contacts", bearer) for bearer in bad.values()))
    assert dict(zip(bad, answers, strict=True)) == {name: [401, None] for name in bad}
