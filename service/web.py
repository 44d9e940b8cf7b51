"""The web application: `create_app(settings)` is all of it, without a server around."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Flask
from prometheus_client import CollectorRegistry

from service.access import require_token
from service.api import add_api
from service.api.names import RoomName
from service.audit import add_audit
from service.dashboard import add_dashboard
from service.deliveries import Deliveries
from service.guesses import Guesses
from service.health import health
from service.metrics import metrics
from service.ports import keep_apart
from service.problems import answer_with_problems
from service.request_ids import name_requests
from service.sessions import Sessions
from service.taking import Taking
from service.videosdk_webhooks import videosdk_webhooks
from service.webhooks import webhooks
from workers.connection import connect, connect_async
from workers.heard import Heard
from workers.intake import GatheringIntake, Intake
from workers.rules_in_force import RulesInForce
from workers.scripts import ScriptRunner
from workers.traces import open_traces

if TYPE_CHECKING:
    from workers.settings import Settings


def create_app(settings: Settings) -> Flask:
    """Build the application. Redis is first reached by the first request that needs it."""
    app = Flask("service", static_folder=None)
    app.url_map.converters["room"] = RoomName
    redis = connect(settings)
    name_requests(app)
    answer_with_problems(app)
    keep_apart(app)
    sessions = Sessions(settings.admin_token, redis, settings.viewer_token)
    require_token(app, sessions, Guesses(redis))
    add_audit(app, redis)
    intake = Intake(redis)
    in_force = RulesInForce(settings.rules)
    in_force.look()  # so that rules which load now stay when their file breaks
    gathering = GatheringIntake(ScriptRunner(connect_async(settings, patient=False)), redis)
    registry = CollectorRegistry()
    deliveries = Deliveries(registry)
    taking = Taking(intake, gathering, deliveries, Heard(redis), open_traces(settings, "web"))
    app.register_blueprint(webhooks(settings, taking))
    app.register_blueprint(videosdk_webhooks(settings.videosdk, taking))
    app.register_blueprint(health(settings, redis, in_force, deliveries))
    app.register_blueprint(metrics(settings, redis, in_force, registry))
    add_api(app, settings, intake, redis, in_force)
    add_dashboard(app, settings, redis, intake, in_force, deliveries, sessions)
    return app
