"""Pages, sign-in and everything else that has a web session."""
import html
import re
import secrets
import time
import urllib.parse
import uuid

from . import NOTICE, git, server
from .providers import Refused

REPOSITORY_PAGES = {"", "branches", "tags", "issues", "releases", "src", "commits", "raw", "archive"}
GIT = (["info", "refs"], ["git-upload-pack"], ["git-receive-pack"], ["HEAD"])
USERINFO = ["login", "oauth", "userinfo"]
BATCH = ["info", "lfs", "objects", "batch"]

def page(status, title, text="", headers=()):
    body = f"<!DOCTYPE html><html><head><title>{html.escape(title)}</title></head><body><p><strong>{NOTICE}.</strong></p>" \
           f"<h1>{html.escape(title)}</h1>{text}</body></html>\n"
    return server.Answer(status, body.encode(), "text/html; charset=utf-8", headers)

def redirect(status, location, headers=()):
    return page(status, "See there", f'<a href="{html.escape(location)}">there</a>', [("Location", location), *headers])

def answer(request):
    """Whoever comes without a session is given one, on each of these routes."""
    given = re.fullmatch("[0-9a-f]{16}", urllib.parse.unquote(request.cookie_value(request.store.cookie)))
    request.session = given[0] if given else secrets.token_hex(8)
    request.data = request.store.session(request.session)
    found = find_page(request)
    if not given and not any(value.startswith(request.store.cookie + "=") for _, value in found.headers):
        found.headers.append(request.cookie(request.store.cookie, request.session))
    return found

def find_page(request):
    route = request.segments
    if (request.command, *route[:2]) in OPEN_PAGES:
        return OPEN_PAGES[(request.command, *route[:2])](request)
    user = request.store.user(id=request.data["user"]) if "user" in request.data else None
    shown = shown_token(request, route)
    if shown is not None:
        user = request.store.by_token(shown)
        if user is None and request.headers["Authorization"][:5].lower() != "basic":
            return request.text(401, "Failed to authenticate user")
    if user and user["prohibit_login"]:
        return page(200, "Sign-In Prohibited")
    if route == USERINFO:
        known = shown and {"sub": str(user["id"]), "preferred_username": user["login"]}
        return request.json(200, known) if known else request.text(401, "no valid authorization")
    return ordinary(request, route, user)

def shown_token(request, route):
    """A token counts on git, downloads, large files (Basic only) and userinfo (not Basic); elsewhere it is not looked at."""
    if route != USERINFO and route[2:] not in (*GIT, BATCH) and route[2:3] not in (["raw"], ["archive"]):
        return None
    return request.credential(bearer=route[2:] != BATCH, basic=route != USERINFO)

def ordinary(request, route, user):
    who = f'<p>Signed in as {html.escape(user["login"])}</p>' if user else '<a href="/user/login">Sign In</a>'
    if route == []:
        return page(200, "Home", who)
    if route in (["user", "settings"], ["-", "admin"]):
        if user is None:
            return redirect(303, "/user/login")
        if route[0] == "-" and not user["is_admin"]:
            return request.text(403, "Forbidden")
        return page(200, "Settings", f'{who}<input name="name" value="{html.escape(user["login"])}">')
    if route[:1] == ["explore"]:
        return page(200, "Explore", who)
    if len(route) < 2:
        return page(200, route[0], who) if request.store.user(login=route[0]) else request.text(404, "Not found.")
    owner, name, *rest = route
    if rest == BATCH:
        return git.batch(request, user, owner, name)
    if rest in GIT:
        return git.smart(request, user, owner, name, rest)
    found = git.visible(request.store, user, owner, name)
    if found is None or (rest[:1] or [""])[0] not in REPOSITORY_PAGES:
        return request.text(404, "Not found.")
    if rest[:1] in (["raw"], ["archive"]):
        return git.download(request, found, rest[0], rest[1:])
    return page(200, f"{owner}/{name}", who + "".join(f"<p>{html.escape(each)}</p>" for each in git.files(request.store, found)))

def user_oauth2(request):
    name, *rest = request.segments[2:] or [""]
    source = request.providers.find(name)
    if source is None or rest not in ([], ["callback"]):
        return page(500, "Internal Server Error")
    redirect_uri = f"{request.store.root_url}user/oauth2/{name}/callback"
    if rest == ["callback"]:
        return come_back(request, source, redirect_uri)
    request.data["state"] = state = str(uuid.uuid4())  # a second start voids the first
    request.store.keep_session(request.session, request.data)
    scope = request.store.ini.get("oauth2_client", "openid_connect_scopes") + " openid"
    asked = {"client_id": source["key"], "redirect_uri": redirect_uri, "response_type": "code", "scope": scope, "state": state}
    where = [request.cookie("redirect_to", urllib.parse.quote(path, "")) for path in request.query.get("redirect_to", [])]
    return redirect(307, source["metadata"]["authorization_endpoint"] + "?" + urllib.parse.urlencode(asked), where)

def come_back(request, source, redirect_uri):
    state = request.data.pop("state", None)
    try:
        if "error" in request.query:
            raise Refused("denied")
        if state is None or [state] != request.query.get("state"):
            raise Refused("state token mismatch, or no matching session")
        request.store.keep_session(request.session, request.data)  # the state is spent
        claims = request.providers.claims(source, request.query["code"][0], redirect_uri)
    except KeyError:
        return page(500, "Internal Server Error")
    except (Refused, OSError) as why:
        flash = urllib.parse.urlencode({"error": f"The authorization request failed: {why}"})
        return redirect(303, "/user/login", [request.cookie("gitea_flash", urllib.parse.quote_plus(flash))])
    _, users = request.store.users(1, 0, source_id=source["id"], login_name=claims["sub"])
    new = secrets.token_hex(8)
    cookie = request.cookie(request.store.cookie, new)
    request.store.end_session(request.session)
    if not users:
        return redirect(303, "/user/link_account", [cookie])
    request.store.change_user(users[0], is_admin=source["admin_group"] in claims.get(source["group_claim"], []))
    request.store.keep_session(new, {"user": users[0]["id"], "login": users[0]["login"]})
    back = urllib.parse.unquote(request.cookie_value("redirect_to")) or "/"
    return redirect(303, back, [cookie, request.cookie("lang", "en-US")])

def user_login(request):
    flash = request.cookie_value("gitea_flash")
    text = "".join(urllib.parse.parse_qs(urllib.parse.unquote(flash)).get("error", []))
    return page(200, "Sign In", f"<p>{html.escape(text)}</p>", [request.cookie("gitea_flash", "", "Max-Age=0; ")])

def user_logout(request):
    request.store.end_session(request.session)
    return request.json(200, {"redirect": "/"}, headers=[request.cookie(request.store.cookie, "", "Max-Age=0; ")])

def user_events(request):
    def pings():
        yield b""
        while True:
            time.sleep(30)
            yield b"event: ping\n\n"
    return server.Answer(200, pings(), "text/event-stream", [("X-Accel-Buffering", "no")])

OPEN_PAGES = {
    ("GET", "user", "oauth2"): user_oauth2, ("GET", "user", "login"): user_login, ("GET", "user", "events"): user_events,
    ("POST", "user", "logout"): user_logout, ("POST", "user", "login"): lambda request: request.text(403, "Forbidden"),
    ("POST", "user", "sign_up"): lambda request: request.text(403, "Forbidden"),
}
