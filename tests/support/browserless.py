"""A person at the login form, without a browser: cookies kept, the form's token sent back."""

import http.client
import re
from urllib.parse import urlencode, urljoin, urlsplit

from .http import Answer

REDIRECTS = 5


class Session:
    """Follows redirects and keeps cookies, on one server."""

    def __init__(self) -> None:
        self._cookies: dict[str, str] = {}

    @property
    def cookie(self) -> str:
        """For a request that this does not make itself."""
        return "; ".join(f"{name}={value}" for name, value in self._cookies.items())

    def open(self, url: str, form: dict[str, str] | None = None) -> tuple[str, Answer]:
        """The address where it ended, and what was there."""
        for _ in range(REDIRECTS):
            answer = self._once(url, form)
            if answer.status not in (301, 302, 303, 307, 308):
                return url, answer
            url, form = urljoin(url, answer.headers["Location"]), None
        raise AssertionError(f"more than {REDIRECTS} redirects, the last one to {url}")

    def _once(self, url: str, form: dict[str, str] | None) -> Answer:
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
        headers = {"Cookie": self.cookie}
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        try:
            target = parts.path + (f"?{parts.query}" if parts.query else "")
            body = None if form is None else urlencode(form)
            connection.request("GET" if form is None else "POST", target, body, headers)
            response = connection.getresponse()
            for cookie in response.headers.get_all("Set-Cookie") or []:
                name, _, value = cookie.partition(";")[0].partition("=")
                self._cookies[name] = value
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()


def log_in(url: str, email: str, password: str, session: Session | None = None) -> Answer:
    """Ask for a page that needs a login, fill in the form it leads to; the page that follows."""
    session = session or Session()
    form_url, page = session.open(url)
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page.body.decode())
    assert token, page.body
    fields = {"email": email, "password": password, "csrf_token": token[1]}
    arrived, answer = session.open(form_url, fields)
    assert urlsplit(arrived).path == urlsplit(url).path, (arrived, answer.status)
    return answer
