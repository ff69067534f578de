"""The daily work. Lane A: apply, then sync. Lane B: gen, then push. Never both at once."""

from twolane.tasks.adopt import adopt as adopt
from twolane.tasks.app_lane import gen as gen
from twolane.tasks.app_lane import push as push
from twolane.tasks.capture import capture as capture
from twolane.tasks.check import check as check
from twolane.tasks.deploy import bootstrap as bootstrap
from twolane.tasks.deploy import deploy as deploy
from twolane.tasks.doctor import doctor as doctor
from twolane.tasks.downgrade import downgrade as downgrade
from twolane.tasks.look import diff as diff
from twolane.tasks.look import introspect as introspect
from twolane.tasks.look import psql as psql
from twolane.tasks.look import snapshot as snapshot
from twolane.tasks.look import status as status
from twolane.tasks.look import targets as targets
from twolane.tasks.moves import disown as disown
from twolane.tasks.moves import own as own
from twolane.tasks.page import diagram as diagram
from twolane.tasks.prove import prove as prove
from twolane.tasks.prove import rls as rls
from twolane.tasks.server import down as down
from twolane.tasks.server import reset as reset
from twolane.tasks.server import up as up
from twolane.tasks.sql_lane import apply as apply
from twolane.tasks.sql_lane import sync as sync
from twolane.tasks.why import why as why
