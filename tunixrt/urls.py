"""Every address of tunixrt. A room owns its own pages and its own part of the API."""

from django.conf import settings
from django.contrib import admin
from django.contrib.auth import views as auth
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from tunixrt import views

urlpatterns = [
    path("", views.home, name="home"),
    path("", include("tunixrt.jobs.urls")),
    path("", include("traces.urls")),
    path("", include("datasets_app.urls")),
    path("", include("runs.urls")),
    path("tokens", views.tokens, name="tokens"),
    path("login", auth.LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("favicon.ico", views.favicon, name="favicon"),
    path("logout", auth.LogoutView.as_view(), name="logout"),
    path("api/health", views.health, name="health"),
    path("api/health/ready", views.ready, name="ready"),
    path("api/schema", SpectacularAPIView.as_view(), name="schema"),
    path(
        "api/docs", SpectacularSwaggerSplitView.as_view(url_name="schema", template_name="api_docs.html"), name="docs"
    ),
    path(settings.ADMIN_PATH, admin.site.urls),
]
handler400 = "tunixrt.views.bad_request"
handler404 = "tunixrt.views.not_found"
handler500 = "tunixrt.views.server_error"
