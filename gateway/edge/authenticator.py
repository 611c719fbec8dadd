"""Who calls: a bearer token or an API key, and never both."""

from __future__ import annotations

from gateway.edge.api_keys import ApiKeys
from gateway.edge.headers import Headers
from gateway.edge.tokens import Caller, TokenVerifier
from gateway.errors import NotAuthenticated


class Authenticator:
    """Tries the credential a request carries."""

    def __init__(self, tokens: TokenVerifier, keys: ApiKeys) -> None:
        self.tokens, self._keys = tokens, keys

    async def caller(self, headers: Headers, now: float) -> Caller:
        """Two credentials at once are none: neither is looked at. Raises: NotAuthenticated, KeysUnavailable."""
        authorization, key = headers.get("authorization"), headers.get("x-api-key")
        if authorization is not None and key is not None:
            raise NotAuthenticated("Send a token or an API key, not both.", reason="two-credentials")
        if key is not None:
            return self._keys.verify(key, now)
        if authorization is None:
            raise NotAuthenticated("No credential: send Authorization: Bearer or X-API-Key.", reason="missing")
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise NotAuthenticated("Only bearer tokens and API keys are taken.", reason="scheme")
        return await self.tokens.verify(token.strip(" "), now)
