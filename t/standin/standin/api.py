"""/api/v1: who am I, users for the administrator, repositories."""
import base64

from . import VERSION, git
from .store import Taken

def refuse(request, status, message):
    return request.json(status, {"message": message})

def describe(user):
    names = ("id", "login", "login_name", "source_id", "full_name", "email")
    return {name: user[name] for name in names} | {name: bool(user[name]) for name in ("is_admin", "prohibit_login")}

def allows(scopes, area, write):
    return any(each in scopes.split(",") for each in ("all", f"write:{area}", "all" if write else f"read:{area}"))

def answer(request):
    route, write = request.segments[2:], request.command not in ("GET", "HEAD")
    name = f"{request.command} {'/'.join(route[:2])}"
    door = next((door for door in DOORS if name.startswith(door[0])), None)
    if door is None:
        return request.text(404, "404 page not found")
    _, area, function = door
    token = request.credential()
    user = request.store.by_token(token) if token is not None else None
    if user is None and request.credential(basic=False) is not None:  # by Basic it may be a password: not looked at
        return refuse(request, 401, "invalid username, password or token")
    if user and user["prohibit_login"]:
        return refuse(request, 403, "This account is prohibited from signing in, please contact your site administrator.")
    if user is None and area in ("user", "admin"):
        return refuse(request, 401, "token is required")
    if user and area and not allows(user["scopes"], area, write):
        return refuse(request, 403, f"token does not have at least one of required scope(s), required=[{area}]")
    if area == "admin" and not user["is_admin"]:
        return refuse(request, 403, "user should be the site admin")
    try:
        return function(request, user, *route)
    except Taken as why:
        return refuse(request, 409 if area == "user" else 422, str(why))

def list_users(request, *_):
    asked = {name: values[0] for name, values in request.query.items()}
    limit = min(int(asked.get("limit", 30)), 50)
    known = {name: asked[name] for name in ("source_id", "login_name") if asked.get(name)}
    count, users = request.store.users(limit, limit * (int(asked.get("page", 1)) - 1), **known)
    return request.json(200, [describe(user) for user in users], headers=[("X-Total-Count", count)])

def add_user(request, *_):
    given = request.body_json()
    source = given.get("source_id", 0)
    if source and all(each["id"] != source for each in request.store.sources()):
        return refuse(request, 422, f"login source does not exist [id: {source}]")
    user = request.store.add_user(given.get("username", ""), given.get("email", ""), given.get("full_name", ""), source,
                                  given.get("login_name", ""))
    return request.json(201, describe(user))

def change_user(request, _, *route):
    given, user = request.body_json(), request.store.user(login=route[2])
    if not given.get("login_name"):
        return refuse(request, 422, "[LoginName]: Required")
    if user is None:
        return refuse(request, 404, f"user redirect does not exist [name: {route[2]}]")
    wanted = {name: given[name] for name in ("login_name", "full_name", "prohibit_login") if name in given}
    if given.get("source_id"):
        wanted["source_id"] = given["source_id"]
    return request.json(200, describe(request.store.change_user(user, **wanted)))

def remove_user(request, _, *route):
    user = request.store.user(login=route[2])
    return request.text(404 if user is None else request.store.remove_user(user) or 204, "")

def add_repository(request, user, *_):
    given = request.body_json()
    git.create(request.store, user, given)
    return request.json(201, {"name": given["name"]})

def repository(request, user, _, owner="", name="", *rest):
    found = git.visible(request.store, user, owner, name)
    if found is None:
        return refuse(request, 404, "The target couldn't be found.")
    if rest[:1] == ("contents",) and request.command == "POST":
        content = base64.b64decode(request.body_json()["content"])
        git.commit(request.store, found, user, "/".join(rest[1:]), content)
        return request.json(201, {})
    return request.json(200, {"name": found["name"]})

# method and beginning of the path, what its scope is called, who answers; the first that fits
DOORS = (
    ("GET version", None, lambda request, *_: request.json(200, {"version": VERSION})),
    ("GET admin/users", "admin", list_users),
    ("POST admin/users", "admin", add_user),
    ("PATCH admin/users", "admin", change_user),
    ("DELETE admin/users", "admin", remove_user),
    ("POST user/repos", "user", add_repository),
    ("GET repos/", "repository", repository),
    ("POST repos/", "repository", repository),
    ("GET user", "user", lambda request, user, *_: request.json(200, describe(user))),
)
