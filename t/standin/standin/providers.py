"""The OpenID Connect provider as Gitea asks it: metadata, tokens, who it is."""
import base64
import json
import time
import urllib.parse
import urllib.request

OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
SKEW_S = 10

class Refused(Exception):
    """The sign-in ends at /user/login with this text."""

def fetch(url, form=None, authorization=None):
    request = urllib.request.Request(url, data=None if form is None else urllib.parse.urlencode(form).encode())
    if authorization:
        request.add_header("Authorization", authorization)
    with OPENER.open(request, timeout=30) as answer:
        return json.load(answer)

def discover(url):
    try:
        return fetch(url)
    except (OSError, ValueError) as why:
        raise ValueError(f"unable to fetch {url}: {why}") from why

class Providers:
    """The sources as they were when the server first used them; a change is seen after a restart only."""

    def __init__(self, store):
        self.store = store
        self.known = {}
        self.style = {}
        for source in store.sources():
            self.find(source["name"])

    def find(self, name):
        for source in self.store.sources() if name not in self.known else []:
            try:
                if source["name"] == name:
                    self.known[name] = source | {"metadata": discover(source["url"])}
            except ValueError as why:
                print(f"[stand-in] source {name}: {why}", flush=True)
        return self.known.get(name)

    def redeem(self, source, form):
        """Basic first; until one way has worked, an error makes it send the same code again in the other way."""
        url, name, key, secret = source["metadata"]["token_endpoint"], source["name"], source["key"], source["secret"]
        pair = f"{urllib.parse.quote_plus(key)}:{urllib.parse.quote_plus(secret)}".encode()
        ways = {"basic": (form, "Basic " + base64.b64encode(pair).decode()),
                "post": (form | {"client_id": key, "client_secret": secret}, None)}
        why = None
        for style in [self.style[name]] if name in self.style else ways:
            try:
                answer = fetch(url, *ways[style])
                self.style[name] = style
                return answer
            except (OSError, ValueError) as error:
                why = error
        raise Refused(f"oauth2: {why}")

    def claims(self, source, code, redirect_uri):
        answer = self.redeem(source, {"code": code, "grant_type": "authorization_code", "redirect_uri": redirect_uri})
        if "id_token" not in answer:
            raise Refused("cannot get user information without id_token")
        payload = answer["id_token"].split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))  # its signature is not looked at
        if claims.get("aud") != source["key"] or claims.get("iss") != source["metadata"]["issuer"]:
            raise Refused("error validating JWT token: issuer or audience does not match")
        if claims["exp"] < time.time() - SKEW_S:  # a missing one is Gitea's panic, and ours
            raise Refused("error validating JWT token: user info JWT token is expired")
        more = fetch(source["metadata"]["userinfo_endpoint"], authorization="Bearer " + answer["access_token"])
        if more.get("sub") != claims["sub"]:
            raise Refused("userinfo 'sub' claim did not match id_token 'sub' claim")
        return claims | more
