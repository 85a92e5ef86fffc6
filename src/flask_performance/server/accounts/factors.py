"""Second factors, where ours are stricter than Flask-Security's own.

A TOTP code works once, recovery codes are kept as hashes, and a passkey that logs in by itself has
always verified its owner (by fingerprint, face or PIN).
"""

import hashlib
import hmac
from typing import TYPE_CHECKING, Any, Final, cast

from flask import Flask, current_app
from flask_security import MfRecoveryCodesUtil, Security, Totp, UserMixin, WebauthnUtil
from markupsafe import Markup

from . import lazily
from .models import User
from .secret import derived

if TYPE_CHECKING:
    from passlib.totp import TotpMatch  # type: ignore[import-untyped]
    from webauthn.helpers.structs import (
        AuthenticatorSelectionCriteria,
        UserVerificationRequirement,
    )

RECOVERY_CODES: Final = 10
#: Usages of a passkey, as Flask-Security names them.
ALONE: Final = "first"
AFTER_PASSWORD: Final = "secondary"  # noqa: S105


def has_second_factor(user: User) -> bool:
    """Whether the password alone does not log in."""
    return bool(user.tf_totp_secret) or any(key.usage == AFTER_PASSWORD for key in user.webauthn)


def take_away(user: User) -> None:
    """Every second factor of a user who lost them; the caller commits."""
    user.tf_primary_method = user.tf_totp_secret = user.totp_counter = None
    user.mf_recovery_codes = None
    for passkey in [key for key in user.webauthn if key.usage == AFTER_PASSWORD]:
        user.webauthn.remove(passkey)


class OneTimeCodes(Totp):
    """TOTP whose codes work once, with a QR code that the page's own style draws."""

    @property
    def _totp(self) -> Any:
        """Everything here goes through it; with the first use its encryption is imported."""
        lazily.one_time_codes()
        return self._codes

    @_totp.setter
    def _totp(self, codes: Any) -> None:
        self._codes = codes

    def get_last_counter(self, user: UserMixin) -> int | None:
        return cast(User, user).totp_counter

    def set_last_counter(self, user: UserMixin, tmatch: "TotpMatch") -> None:
        cast(User, user).totp_counter = tmatch.counter

    def generate_qrcode(self, username: str, totp: str) -> str:
        """An <svg> element: so the page needs no leave to show images of `data:` addresses."""
        import qrcode  # type: ignore[import-untyped]

        code = qrcode.QRCode(border=2)
        code.add_data(self.get_totp_uri(username, totp))
        rows = code.get_matrix()
        dots = "".join(
            f"M{x} {y}h1v1h-1z" for y, row in enumerate(rows) for x, dark in enumerate(row) if dark
        )
        return Markup(
            '<svg class="qrcode" viewBox="0 0 {0} {0}" width="208" height="208" role="img" '
            'aria-label="QR code for an authenticator app"><path d="{1}"/></svg>'
        ).format(len(rows), dots)


class RecoveryCodes(MfRecoveryCodesUtil):
    """Codes that are shown once: the database keeps keyed hashes, which nobody can turn back."""

    def __init__(self, app: Flask) -> None:
        super().__init__(app)
        self._key = derived(app.config["SECRET_KEY"], "recovery codes").encode()

    def create_recovery_codes(self, user: UserMixin) -> list[str]:
        codes: list[str] = _security().totp_factory.generate_recovery_codes(RECOVERY_CODES)
        _security().datastore.mf_set_recovery_codes(user, [self._hash(code) for code in codes])
        return codes

    def get_recovery_codes(self, user: UserMixin) -> list[str]:  # noqa: ARG002
        """None can be shown again."""
        return []

    def check_recovery_code(self, user: UserMixin, code: str) -> bool:
        return self._hash(code) in (user.mf_recovery_codes or [])

    def delete_recovery_code(self, user: UserMixin, code: str) -> bool:
        place = (user.mf_recovery_codes or []).index(self._hash(code))
        return bool(_security().datastore.mf_delete_recovery_code(user, place))

    def _hash(self, code: str) -> str:
        """Case, spaces and hyphens are how people copy, not what the code is."""
        bare = "".join(filter(str.isalnum, code)).lower()
        return hmac.new(self._key, bare.encode(), hashlib.sha256).hexdigest()


class Passkeys(WebauthnUtil):
    """What is asked of a passkey, by its usage."""

    def authenticator_selection(
        self,
        user: UserMixin,  # noqa: ARG002
        usage: str,
    ) -> "AuthenticatorSelectionCriteria":
        """One that logs in alone is found without an address, and verifies its owner."""
        from webauthn.helpers.structs import AuthenticatorSelectionCriteria, ResidentKeyRequirement

        alone = usage == ALONE
        resident = ResidentKeyRequirement.REQUIRED if alone else ResidentKeyRequirement.DISCOURAGED
        return AuthenticatorSelectionCriteria(
            resident_key=resident, user_verification=self.user_verification(None, [usage])
        )

    def user_verification(
        self,
        user: UserMixin | None,  # noqa: ARG002
        usage: list[str],
    ) -> "UserVerificationRequirement":
        from webauthn.helpers.structs import UserVerificationRequirement

        if ALONE in usage:
            return UserVerificationRequirement.REQUIRED
        return UserVerificationRequirement.DISCOURAGED


def _security() -> Security:
    security = current_app.extensions["security"]
    assert isinstance(security, Security)  # noqa: S101
    return security
