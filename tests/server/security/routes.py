"""The table of all routes: who may ask for each, and what the answer is.

A new route belongs here: `test_every_route_is_in_the_table` fails until it does. `{team}` and the
like are filled with the objects of `world.World.objects`. Whoever is let in gets `ok`, by default
200 for a GET and 302 for a POST.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from flask_performance.server.accounts.permissions import Action

#: Who may ask, where it is no role in a team: everybody, or everybody who is logged in.
ANYONE = "anyone"
PERSON = "person"
Who = Action | str


@dataclass(frozen=True)
class Row:
    method: str
    path: str
    who: Who
    #: The fields of the form; values may name objects too.
    form: Mapping[str, str] = field(default_factory=dict)
    #: Statuses of those who are let in.
    ok: tuple[int, ...] = ()
    #: Statuses of visitors; none: they are sent to the log-in, or, where anyone may ask, `ok`.
    visitor: tuple[int, ...] = ()
    #: Status where the first object in the path is one's own, and the next another team's.
    mixed: int = 404
    #: It ends the session or the account that asks.
    spoils: bool = False

    @property
    def let_in(self) -> tuple[int, ...]:
        return self.ok or ((302,) if self.method == "POST" else (200,))

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def get(path: str, who: Who, **more: object) -> Row:
    return Row("GET", path, who, **more)  # type: ignore[arg-type]


def post(path: str, who: Who, **more: object) -> Row:
    return Row("POST", path, who, **more)  # type: ignore[arg-type]


OPEN = (
    get("/", ANYONE, ok=(302,)),
    get("/static/icon.svg", ANYONE),
)
LOG_IN = (
    get("/login", ANYONE, ok=(302,), visitor=(200,)),
    post("/login", ANYONE, ok=(302,), visitor=(200,)),
    post("/logout", ANYONE, spoils=True, visitor=(302,)),
    get("/signup", ANYONE, ok=(302,), visitor=(200, 403)),
    post("/signup", ANYONE, ok=(302,), visitor=(200, 403)),
    get("/reset", ANYONE),
    post("/reset", ANYONE, ok=(200,)),
    get("/reset/wrong", ANYONE, ok=(302,), visitor=(302,)),
    post("/reset/wrong", ANYONE, ok=(302,), visitor=(302,)),
)
ACCOUNT = (
    get("/account", PERSON),
    get("/account/security", PERSON),
    get("/account/devices", PERSON),
    post("/account/devices/wrong/sign-out", PERSON, ok=(404,)),
    post("/account/devices/sign-out-others", PERSON, spoils=True),
    post("/account/devices/revoke-tokens", PERSON, spoils=True),
    get("/account/email", PERSON),
    post("/account/email", PERSON, form={"email": "wrong"}, ok=(422,)),
    get("/account/delete", PERSON),
    post("/account/delete", PERSON, form={"email": "wrong"}, ok=(422,)),
    get("/account/password", PERSON),
    post("/account/password", PERSON, form={"password": "wrong"}, ok=(200,)),
    get("/account/two-factor", PERSON),
    post("/account/two-factor", PERSON, ok=(200,)),
    post("/account/two-factor/wrong", PERSON),
    get("/account/recovery-codes", PERSON),
    post("/account/recovery-codes", PERSON, ok=(200, 302)),
    get("/account/passkeys", PERSON),
    post("/account/passkeys", PERSON, ok=(200,)),
    post("/account/passkeys/wrong", PERSON),
    get("/account/passkeys/delete", PERSON, ok=(200, 302)),
    post("/account/passkeys/delete", PERSON, ok=(200, 302)),
    get("/verify", PERSON),
    post("/verify", PERSON, form={"password": "wrong"}, ok=(200,)),
    get("/verify/passkey", PERSON, ok=(200, 302)),
    post("/verify/passkey", PERSON, ok=(200, 302)),
    post("/verify/passkey/wrong", PERSON, ok=(200, 302)),
)
SECOND_FACTOR = (
    get("/login/code", ANYONE, ok=(302,), spoils=True),
    post("/login/code", ANYONE, ok=(302,), spoils=True),
    get("/login/factor", ANYONE, ok=(302,), spoils=True),
    post("/login/factor", ANYONE, ok=(302,), spoils=True),
    get("/login/recovery", ANYONE, ok=(302,), spoils=True),
    post("/login/recovery", ANYONE, ok=(302,), spoils=True),
    get("/login/rescue", ANYONE, ok=(404,), spoils=True),
    post("/login/rescue", ANYONE, ok=(404,), spoils=True),
    get("/login/passkey", ANYONE, ok=(302,), visitor=(200,), spoils=True),
    post("/login/passkey", ANYONE, ok=(302,), visitor=(200,), spoils=True),
    post("/login/passkey/wrong", ANYONE, ok=(302,), visitor=(302,), spoils=True),
)
TOKENS = (
    get("/account/tokens", PERSON),
    post("/account/tokens", PERSON, form={"name": "New"}, ok=(201, 422)),
    post("/account/tokens/{my_token}/revoke", PERSON),
    get("/teams/{team}/tokens", Action.MANAGE_TOKENS),
    post(
        "/teams/{team}/tokens", Action.MANAGE_TOKENS,
        form={"name": "New", "scope": "read", "days": "30"}, ok=(201,),
    ),
    post("/teams/{team}/tokens/{token}/revoke", Action.MANAGE_TOKENS),
)  # fmt: skip
PROJECTS = (
    get("/projects", PERSON),
    get("/projects.csv", PERSON),
    get("/projects/new", PERSON),
    post("/projects/new", PERSON, form={"name": ""}, ok=(422,)),
    get("/projects/{project}", Action.SEE_DATA),
    get("/projects/{project}/requests", Action.SEE_DATA, ok=(302,)),  # nothing came yet
    get("/projects/{project}/operations", Action.SEE_DATA, ok=(400,)),  # which one?
    get("/projects/{project}/instances", Action.SEE_DATA, ok=(302,)),
    get("/projects/{project}/routes", Action.SEE_DATA, ok=(302,)),
    get("/projects/{project}/requests.csv", Action.SEE_DATA),
    get("/projects/{project}/requests.json", Action.SEE_DATA),
    get("/projects/{project}/requests/1", Action.SEE_DATA, ok=(404,)),  # there are none
    get("/projects/{project}/unmatched", Action.SEE_DATA, ok=(302,)),  # nothing came yet
    get("/projects/{project}/files/operations.csv", Action.SEE_DATA),
    get("/projects/{project}/setup", Action.SEE_DSN),
)
SETTINGS = (
    get("/projects/{project}/settings", Action.SEE_DATA),
    post(
        "/projects/{project}/settings", Action.CHANGE_PROJECT,
        form={"name": "Renamed", "time_zone": "Europe/Berlin", "apdex": "250"},
    ),
    post(
        "/projects/{project}/settings/operations", Action.CHANGE_PROJECT,
        form={"operation": "GET /", "operation_apdex": "100"}, ok=(422,),  # it has no operation
    ),
    post(
        "/projects/{project}/settings/operations/remove", Action.CHANGE_PROJECT,
        form={"operation": "GET /"},
    ),
    post("/projects/{project}/settings/limits", Action.SET_LIMITS, form={"quota_minute": "1000"}),
    post("/projects/{project}/settings/move", Action.MOVE_PROJECT, form={"team": "{elsewhere}"}),
    post(
        "/projects/{project}/settings/delete", Action.DELETE_PROJECT,
        form={"confirm": "{project_name}"},
    ),
    get("/projects/{project}/keys", Action.MANAGE_KEYS),
    post("/projects/{project}/keys", Action.MANAGE_KEYS, form={"name": "New"}),
    post("/projects/{project}/keys/{key}/rename", Action.MANAGE_KEYS, form={"name": "Web"}),
    post("/projects/{project}/keys/{key}/rotate", Action.MANAGE_KEYS),
    get("/projects/{project}/keys/{key}/revoke", Action.MANAGE_KEYS),
    post("/projects/{project}/keys/{key}/revoke", Action.MANAGE_KEYS),
)  # fmt: skip
TEAMS = (
    get("/teams", PERSON),
    get("/teams/new", PERSON),
    post("/teams/new", PERSON, form={"name": ""}, ok=(422,)),
    get("/teams/{team}", Action.SEE_DATA),
    get("/teams/{team}/members", Action.SEE_DATA),
    post(
        "/teams/{team}/members", Action.INVITE,
        form={"email": "", "role": "viewer", "days": "7"}, ok=(201,),
    ),
    post("/teams/{team}/invitations/{invitation}/revoke", Action.INVITE, mixed=302),
    post(
        "/teams/{team}/members/role", Action.MANAGE_MEMBERS,
        form={"email": "{other}", "role": "member"},
    ),
    post("/teams/{team}/members/remove", Action.MANAGE_MEMBERS, form={"email": "{other}"}),
    get("/teams/{team}/audit", Action.SEE_AUDIT),
    get("/teams/{team}/audit.csv", Action.SEE_AUDIT),
    get("/teams/{team}/settings", Action.SEE_DATA),
    post("/teams/{team}/settings", Action.RENAME_TEAM, form={"name": "Renamed {team}"}),
    post("/teams/{team}/leave", Action.SEE_DATA),
    post("/teams/{team}/delete", Action.DELETE_TEAM, form={"typed": "{team_name}"}),
    # Whoever holds the link: a member is led to the team.
    get("/invitations/{link}", ANYONE, ok=(200, 302), visitor=(200,)),
    post("/invitations/{link}", PERSON),
)  # fmt: skip

PAGES = (*OPEN, *LOG_IN, *SECOND_FACTOR, *ACCOUNT, *TOKENS, *PROJECTS, *SETTINGS, *TEAMS)

#: Below /api/v1; asked with a token. `body` is the form, as JSON.
API = (
    get("/teams", PERSON),
    get("/projects", PERSON),
    post("/projects", Action.CREATE_PROJECT, form={"name": "Blog", "team": "{team}"}, ok=(201,)),
    get("/projects/{project}", Action.SEE_DATA),
    get("/projects/{project}/keys", Action.MANAGE_KEYS),
    get("/projects/{project}/summary", Action.SEE_DATA),
    get("/projects/{project}/operations", Action.SEE_DATA),
    get("/projects/{project}/series", Action.SEE_DATA),
    get("/projects/{project}/releases", Action.SEE_DATA),
    get("/projects/{project}/requests", Action.SEE_DATA),
    get("/projects/{project}/unmatched", Action.SEE_DATA),
    get("/projects/{project}/ledger", Action.SEE_DATA),
    get("/projects/{project}/instances", Action.SEE_DATA),
    get("/projects/{project}/routes", Action.SEE_DATA),
)
