"""The guards: state → Refusal, or None. One file a guard, one guard a row of the guide's table.

They know nothing of Invoke, of printing or of connections. Commands call them in their bodies.
This module holds all of them for the commands; importing it loads what they judge, so what every
command needs at its start (a refusal) comes from `guards.refusal` alone.
"""

from twolane.guards.app_drift import app_drift as app_drift
from twolane.guards.baseline import baseline as baseline
from twolane.guards.baseline import broken as broken
from twolane.guards.baseline import elsewhere as elsewhere
from twolane.guards.baseline import record_written as record_written
from twolane.guards.baseline import unplanned as unplanned
from twolane.guards.destructive import destructive as destructive
from twolane.guards.destructive import given_up as given_up
from twolane.guards.destructive import unplanned_writes as unplanned_writes
from twolane.guards.history import applied_history as applied_history
from twolane.guards.history import edited_revision as edited_revision
from twolane.guards.history import foreign_revision as foreign_revision
from twolane.guards.history import half_pushed as half_pushed
from twolane.guards.history import half_run as half_run
from twolane.guards.history import half_taken_back as half_taken_back
from twolane.guards.history import history as history
from twolane.guards.history import lost_record as lost_record
from twolane.guards.history import of_another_branch as of_another_branch
from twolane.guards.history import older_checkout as older_checkout
from twolane.guards.one_lane import one_lane_for_apply as one_lane_for_apply
from twolane.guards.one_lane import one_lane_for_gen as one_lane_for_gen
from twolane.guards.one_lane import one_lane_for_push as one_lane_for_push
from twolane.guards.order import order as order
from twolane.guards.refusal import Refusal as Refusal
from twolane.guards.refusal import Refused as Refused
from twolane.guards.refusal import refuse as refuse
from twolane.guards.scope import metadata as metadata
from twolane.guards.scope import scope as scope
from twolane.guards.session import pooled as pooled
from twolane.guards.session import session as session
from twolane.guards.sql_only import sql_only as sql_only
from twolane.guards.stale_mirror import drift as drift
from twolane.guards.stale_mirror import stale_mirror as stale_mirror
from twolane.guards.target import embedded_only as embedded_only
from twolane.guards.target import first_contact as first_contact
from twolane.guards.target import other_plan as other_plan
from twolane.guards.target import own_service as own_service
from twolane.guards.target import plain_only as plain_only
from twolane.guards.target import protected as protected
from twolane.guards.target import target as target
from twolane.guards.target import unapproved as unapproved
from twolane.guards.target import unknown_there as unknown_there
