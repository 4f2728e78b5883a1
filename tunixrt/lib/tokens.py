"""Who asks: the person of an API token."""

from drf_spectacular.contrib.knox_auth_token import KnoxTokenScheme
from knox import auth
from rest_framework.exceptions import AuthenticationFailed


class TokenAuthentication(auth.TokenAuthentication):
    """As knox does it, but what is not ASCII is a wrong token, where knox would fail to decode it."""

    def authenticate_credentials(self, token: bytes):
        if not token.isascii():
            raise AuthenticationFailed("Invalid token.")
        return super().authenticate_credentials(token)


class TokenScheme(KnoxTokenScheme):
    """Its entry in the OpenAPI description."""

    target_class = "tunixrt.lib.tokens.TokenAuthentication"
