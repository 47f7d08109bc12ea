"""Repositories: git over HTTP, the batch of large files, downloads, the registry's token."""
import base64
import json
import os
import subprocess
import tempfile
import time

from . import server

SETTINGS = {"http.receivepack": "true", "uploadpack.allowfilter": "true", "safe.directory": "*"}
LFS = "application/vnd.git-lfs+json"

def environment(**more):
    settings = {"GIT_CONFIG_COUNT": str(len(SETTINGS)), "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"}
    for i, (key, value) in enumerate(SETTINGS.items()):
        settings |= {f"GIT_CONFIG_KEY_{i}": key, f"GIT_CONFIG_VALUE_{i}": value}
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin")} | settings | more

def run(directory, *arguments, data=b""):
    done = subprocess.run(["git", "-C", directory, *arguments], input=data, env=environment(), capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else None

def visible(store, user, owner, name):
    """The repository, if the user (None: anybody) may see it."""
    found = store.repository(owner, name)
    return None if found and found["private"] and not may_write(user, found) else found

def may_write(user, found):
    return bool(user and (user["id"] == found["owner"] or user["is_admin"]))

def create(store, user, given):
    store.write("INSERT INTO repository VALUES (?, ?, ?)", user["id"], given["name"], bool(given.get("private")))
    found = store.repository(user["login"], given["name"])
    os.makedirs(store.directory(found), exist_ok=True)
    run(store.directory(found), "init", "-q", "--bare", "--initial-branch=main")
    if given.get("auto_init"):
        commit(store, found, user, "README.md", f"# {given['name']}\n".encode())

def commit(store, found, user, path, content):
    directory = store.directory(found)
    parent = b"from refs/heads/main^0\n" if run(directory, "rev-parse", "-q", "--verify", "refs/heads/main") else b""
    head = f"commit refs/heads/main\ncommitter {user['login']} <{user['email']}> now\ndata 5\nWrite\n".encode()
    change = f"M 100644 inline {path}\ndata {len(content)}\n".encode() + content + b"\n"
    run(directory, "fast-import", "--quiet", "--date-format=now", data=head + parent + change)

def smart(request, user, owner, name, rest):
    """info/refs, upload-pack, receive-pack and what dumb clients read, by git's own program."""
    found = visible(request.store, user, owner, name)
    writes = rest == ["git-receive-pack"] or request.query.get("service") == ["git-receive-pack"]
    if user is None and (found is None or writes):
        return request.text(401, "Unauthorized", [("WWW-Authenticate", 'Basic realm="Gitea"')])
    if found is None:
        return request.text(404, "Not found.")
    if writes and not may_write(user, found):
        return request.text(403, "User permission denied for writing.")
    more = {"GIT_PROJECT_ROOT": request.store.directory(found), "PATH_INFO": "/" + "/".join(rest), "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": request.command, "QUERY_STRING": request.query_string}
    for field, variable in (("Content-Type", "CONTENT_TYPE"), ("Content-Encoding", "HTTP_CONTENT_ENCODING"),
                            ("Git-Protocol", "GIT_PROTOCOL")):
        more[variable] = request.headers.get(field, "")
    with tempfile.TemporaryFile() as body:
        for piece in request.pieces():
            body.write(piece)
        more["CONTENT_LENGTH"] = str(body.tell())
        body.seek(0)
        child = subprocess.Popen(["git", "http-backend"], env=environment(**more), stdin=body, stdout=subprocess.PIPE)
    lines = [line.decode().strip() for line in iter(child.stdout.readline, b"\r\n") if line]
    head = dict(line.split(": ", 1) for line in lines)
    def stream():
        with child:
            yield from iter(lambda: child.stdout.read1(65536), b"")
    return server.Answer(int(head.pop("Status", "200")[:3]), stream(), None, head.items())

def download(request, found, kind, rest):
    """raw/branch/NAME/PATH and archive/NAME.tar.gz"""
    directory = request.store.directory(found)
    if kind == "raw":
        content = run(directory, "cat-file", "blob", f"{''.join(rest[1:2])}:{'/'.join(rest[2:])}")
    else:
        content = run(directory, "archive", "--format=tar.gz", "".join(rest).removesuffix(".tar.gz"))
    if content is None:
        return request.text(404, "Not found.")
    return server.Answer(200, content, "text/plain; charset=utf-8" if kind == "raw" else "application/octet-stream")

def files(store, found):
    return (run(store.directory(found), "ls-tree", "-r", "--name-only", "main") or b"").decode().split("\n")

def batch(request, user, owner, name):
    """What git-lfs asks first. There are no large files here: all of them may be uploaded, none is found."""
    found, body = request.store.repository(owner, name), request.body_json()
    writes = body["operation"] == "upload"
    if found is None and user:
        return request.json(404, {"Message": "Not Found"}, LFS)
    if found is None or (writes or found["private"]) and not may_write(user, found):
        return request.json(401, {"Message": "Unauthorized"}, LFS, [("WWW-Authenticate", 'Basic realm="gitea-lfs"')])
    base, objects = request.url(f"{owner}/{name}/info/lfs"), []
    header = {"Authorization": request.headers.get("Authorization", "")}  # the caller's own, as Gitea does
    for wanted in body.get("objects", []):
        upload = {"href": f"{base}/objects/{wanted['oid']}/{wanted['size']}", "header": header}
        objects.append(wanted | ({"actions": {"upload": upload}} if writes else {"error": {"code": 404, "message": "Not Found"}}))
    return request.json(200, {"objects": objects}, LFS)

def registry(request):
    """/v2: its challenge, and a token by Basic. The token opens nothing."""
    denied = request.json(401, {"errors": [{"code": "UNAUTHORIZED", "message": ""}]}, "application/json", [
        ("WWW-Authenticate", f'Bearer realm="{request.url("v2/token")}",service="container_registry",scope="*"')])
    if request.segments != ["v2", "token"]:
        return denied
    shown = request.credential(bearer=False)
    user = request.store.by_token(shown) if shown else None
    if user is None and "Authorization" in request.headers:
        return request.text(401, "Failed to authenticate user")
    if user and not any(scope.endswith((":package", "all")) for scope in user["scopes"].split(",")):
        return denied
    claims = {"UserID": user["id"] if user else -1, "exp": int(time.time()) + 86400}
    parts = [json.dumps(each).encode() for each in ({"alg": "HS256", "typ": "JWT"}, claims)] + [os.urandom(32)]
    return request.json(200, {"token": ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)})
