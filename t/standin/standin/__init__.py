"""This is a stand-in, not Gitea: see ../gitea."""
NOTICE = "This is a stand-in, not Gitea"
VERSION = "1.25.4+stand-in"
