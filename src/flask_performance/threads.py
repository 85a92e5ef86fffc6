"""What a thread is in this process."""

import sys


def shares_threads() -> bool:
    """Whether gevent has replaced threads by greenlets, many of which share a real thread."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("threading"))


def uwsgi_without_threads() -> bool:
    """Whether uWSGI runs this process and was not told that Python may have threads: then none runs
    but the one that answers requests."""
    uwsgi = sys.modules.get("uwsgi")
    options = {
        key.decode() if isinstance(key, bytes) else key for key in getattr(uwsgi, "opt", {}) or {}
    }
    return uwsgi is not None and not options & {"enable-threads", "threads"}
