"""What it keeps in its work directory: a database for command line and server, sessions in files, repositories."""
import configparser
import hashlib
import json
import os
import re
import secrets
import sqlite3
import threading

TABLES = """
CREATE TABLE IF NOT EXISTS source (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, told TEXT);
CREATE TABLE IF NOT EXISTS user (id INTEGER PRIMARY KEY AUTOINCREMENT, login TEXT UNIQUE COLLATE NOCASE,
    email TEXT UNIQUE COLLATE NOCASE, full_name TEXT, source_id INTEGER, login_name TEXT, is_admin INTEGER, prohibit_login);
CREATE TABLE IF NOT EXISTS token (user INTEGER, name TEXT, digest TEXT UNIQUE, scopes TEXT, UNIQUE (user, name));
CREATE TABLE IF NOT EXISTS repository (owner INTEGER, name TEXT COLLATE NOCASE, private INTEGER, UNIQUE (owner, name));
"""
RESERVED = set("api v2 user login repo org explore assets metrics ghost gitea-actions captcha notifications".split())

class Taken(Exception):
    """Gitea says no to a name, an address or a second of something."""

def digest_of(token):
    return hashlib.sha256(token.encode()).hexdigest()

class Store:
    def __init__(self, config):
        ini = self.ini = configparser.RawConfigParser(strict=False)
        with open(config, encoding="utf-8") as text:
            ini.read_string("[DEFAULT]\n" + text.read())
        self.path, self.work = ini.get("database", "path"), ini.get("DEFAULT", "work_path")
        self.root_url, self.cookie = ini.get("server", "root_url"), ini.get("session", "cookie_name", fallback="i_like_gitea")
        self.sessions, self.repositories = ini.get("session", "provider_config"), ini.get("repository", "root")
        self.local = threading.local()
        os.makedirs(self.sessions, exist_ok=True)
        self.db().executescript(TABLES)

    def db(self):
        if not hasattr(self.local, "db"):
            self.local.db = sqlite3.connect(self.path, timeout=20, isolation_level=None)
            self.local.db.row_factory = sqlite3.Row
            self.local.db.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF")
        return self.local.db

    def all(self, sql, *values):
        return [dict(row) for row in self.db().execute(sql, values)]

    def one(self, sql, *values):
        return next(iter(self.all(sql, *values)), None)

    def write(self, sql, *values):
        try:
            return self.db().execute(sql, values)
        except sqlite3.IntegrityError as why:
            raise Taken(f"already exists: {why}") from why

    def sources(self):
        return [row | json.loads(row["told"]) for row in self.all("SELECT * FROM source ORDER BY id")]

    def put_source(self, known, name, told):
        if known is None:
            self.write("INSERT INTO source (name, told) VALUES (?, ?)", name, told)
        elif self.write("UPDATE source SET name = ?, told = ? WHERE id = ?", name, told, known).rowcount == 0:
            raise LookupError(f"login source does not exist [id: {known}]")

    def user(self, **known):
        (column, value), = known.items()
        return self.one(f"SELECT * FROM user WHERE {column} = ?", value)

    def users(self, limit, offset, **known):
        where = " AND ".join(f"{column} = ?" for column in known) or "1"
        count = self.one(f"SELECT count(*) AS n FROM user WHERE {where}", *known.values())["n"]
        return count, self.all(f"SELECT * FROM user WHERE {where} LIMIT ? OFFSET ?", *known.values(), limit, offset)

    def add_user(self, login, email, full_name="", source_id=0, login_name="", is_admin=False):
        if not re.fullmatch(r"[A-Za-z0-9](?:[._-]?[A-Za-z0-9])*", login) or len(login) > 40 or login.lower() in RESERVED:
            raise Taken(f"invalid or reserved [name: {login}]")
        self.write("INSERT INTO user VALUES (NULL, ?, ?, ?, ?, ?, ?, 0)", login, email.lower(), full_name, source_id, login_name,
                   is_admin)
        return self.user(login=login)

    def change_user(self, user, **values):
        for column, value in values.items():
            self.write(f"UPDATE user SET {column} = ? WHERE id = ?", value, user["id"])
        return self.user(id=user["id"])

    def remove_user(self, user):
        for table, column in (("token", "user"), ("repository", "owner"), ("user", "id")):
            self.write(f"DELETE FROM {table} WHERE {column} = ?", user["id"])

    def add_token(self, user_id, name, scopes):
        token = secrets.token_hex(20)
        self.write("INSERT INTO token VALUES (?, ?, ?, ?)", user_id, name, digest_of(token), scopes)
        return token

    def by_token(self, token):
        return self.one("SELECT user.*, scopes FROM token JOIN user ON user.id = token.user WHERE digest = ?", digest_of(token))

    def repository(self, owner, name):
        return self.one("SELECT repository.*, user.login AS owner_login FROM repository JOIN user ON user.id = owner "
                        "WHERE user.login = ? AND name = ?", owner, name.removesuffix(".git"))

    def directory(self, repository):
        return os.path.join(self.repositories, repository["owner_login"].lower(), repository["name"].lower() + ".git")

    def session(self, session_id):
        try:
            with open(os.path.join(self.sessions, session_id), encoding="utf-8") as text:
                return json.load(text)
        except FileNotFoundError:
            return {}

    def keep_session(self, session_id, data):
        path = os.path.join(self.sessions, session_id)
        with open(f"{path}.{threading.get_ident()}", "w", encoding="utf-8") as text:
            json.dump(data, text)
        os.replace(text.name, path)

    def end_session(self, session_id):
        if os.path.exists(os.path.join(self.sessions, session_id)):
            os.unlink(os.path.join(self.sessions, session_id))
