"""The command line, as far as scripts and `teagate gitea setup` use it."""
import argparse
import json
import secrets
import sys

from . import NOTICE, VERSION, providers, server
from .store import Store, Taken

def list_sources(store, options):
    rows = [("ID", "Name", "Type", "Enabled")] + [(str(row["id"]), row["name"], "OAuth2", "true") for row in store.sources()]
    widths = [max(len(row[i]) for row in rows) + 1 for i in range(4)]
    for row in rows:
        cells = [cell.ljust(width, options.pad_char or " ") for cell, width in zip(row, widths)]
        print(("|" if options.vertical_bars else "").join(cells))

def put_source(store, options):
    providers.discover(options.auto_discover_url)  # Gitea makes no source that it cannot ask
    told = {"key": options.key, "secret": options.secret, "url": options.auto_discover_url, 
            "group_claim": options.group_claim_name, "admin_group": options.admin_group}
    store.put_source(options.id, options.name, json.dumps(told))

def add_user(store, options):
    store.add_user(options.username, options.email, is_admin=options.admin)

def add_token(store, options):
    user = store.user(login=options.username)
    if user is None or not options.raw:
        raise LookupError(f"user does not exist [name: {options.username}], or --raw is missing")
    print(store.add_token(user["id"], options.token_name, options.scopes[0]))

SOURCE = "name provider key secret auto-discover-url group-claim-name admin-group skip-local-2fa! scopes id"
COMMANDS = {  # what each does, and its options; those with "!" have no value
    "web": (lambda store, _: server.run(store), ""),
    "admin auth list": (list_sources, "vertical-bars! pad-char"),
    "admin auth add-oauth": (put_source, SOURCE),
    "admin auth update-oauth": (put_source, SOURCE),
    "admin user create": (add_user, "username email password admin! must-change-password"),
    "admin user generate-access-token": (add_token, "username token-name scopes raw!"),
}

def main(arguments):
    if arguments == ["--version"]:
        print(f"gitea version {VERSION} ({NOTICE})")
        return 0
    if arguments[:2] == ["generate", "secret"]:
        print(secrets.token_urlsafe(32))
        return 0
    parser = argparse.ArgumentParser(prog="gitea", description=NOTICE, allow_abbrev=False)
    parser.add_argument("--config", required=True)
    words = " ".join(arguments[2:])
    name = next((each for each in COMMANDS if f"{words} ".startswith(each + " ")), None)
    if name is None:
        parser.error(f"the stand-in knows only: gitea --config APP_INI {', '.join(COMMANDS)}")
    for option in COMMANDS[name][1].split():
        action = "store_true" if option.endswith("!") else "append" if option == "scopes" else "store"
        parser.add_argument("--" + option.rstrip("!"), action=action)
    try:
        options = parser.parse_args(arguments[:2] + arguments[2 + len(name.split()):])
        COMMANDS[name][0](Store(options.config), options)
    except (Taken, LookupError, OSError, ValueError) as why:
        print(f"Command error: {why}", file=sys.stderr)
        return 1
    return 0
