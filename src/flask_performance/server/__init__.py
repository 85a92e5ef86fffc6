"""The platform. Needs the extra `flask-performance[server]`; its law is in README.md."""
