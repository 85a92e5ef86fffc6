"""What ingest and timed work ask the accounts, through the web app that has them."""

import logging

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from .accounts import models, project_settings, projects
from .store.base import Projects, Retention

log = logging.getLogger(__name__)


def project_exists(web: Flask, project_id: int) -> bool:
    """For ingest: while the accounts cannot be read, every project is there."""
    with web.app_context():
        try:
            return models.db.session.get(models.Project, project_id) is not None
        except SQLAlchemyError:
            log.warning("Ingest cannot ask whether a project was deleted", exc_info=True)
            return True


def existing(web: Flask) -> Projects:
    with web.app_context():
        ids = projects.project_ids()
        return Projects(ids, projects.greatest_id())


def kept(web: Flask) -> dict[int, Retention]:
    with web.app_context():
        by_project = project_settings.kept_by_all()
    return {
        project_id: Retention(raw_days=one.raw_days, minutes_days=one.minutes_days,
                              hours_days=one.hours_days)
        for project_id, one in by_project.items()
    }  # fmt: skip
