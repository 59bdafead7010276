"""Domains below which anyone can publish."""

HOSTING = (
    "amazonaws.com",
    "amplifyapp.com",
    "appspot.com",
    "azureedge.net",
    "azurefd.net",
    "azurewebsites.net",
    "blogspot.com",
    "cloudapp.net",
    "cloudfront.net",
    "digitaloceanspaces.com",
    "dropboxusercontent.com",
    "firebaseapp.com",
    "fly.dev",
    "github.io",
    "githubusercontent.com",
    "gitlab.io",
    "googleapis.com",
    "googleusercontent.com",
    "herokuapp.com",
    "netlify.app",
    "ngrok-free.app",
    "ngrok.io",
    "on.aws",
    "onrender.com",
    "pages.dev",
    "r2.dev",
    "run.app",
    "vercel.app",
    "web.app",
    "windows.net",
    "workers.dev",
)
"""Of clouds and hosting services: the ones that photos are often published on. It cannot be complete, and
https://publicsuffix.org, which nearly is, changes every week."""
REGISTRIES = frozenset({"ac", "co", "com", "edu", "gov", "go", "gob", "gouv", "mil", "ne", "net", "nom", "or", "org"})
"""Second level of a country's domain, such as co.uk and com.au, below which anyone registers names."""


def is_shared(entry: str) -> bool:
    """Whether the entry of `api.allowed_url_hosts` allows hosts of any owner."""
    if not entry.startswith("."):
        return False
    domain = entry[1:]
    labels = domain.split(".")
    is_registry = len(labels) == 2 and len(labels[1]) == 2 and labels[0] in REGISTRIES
    return is_registry or any(domain == hosting or domain.endswith(f".{hosting}") for hosting in HOSTING)
