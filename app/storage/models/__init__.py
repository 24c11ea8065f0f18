"""The tables (Flask-SQLAlchemy). Columns only: what is done with them is in the modules above."""

from app.storage.models.base import Base, db
from app.storage.models.catalogue import PresetRow, ResourceRow, ScopeRow
from app.storage.models.credentials import ApiKeyRow, ClientRow, ClientSecretRow, NamingRow
from app.storage.models.ledger import (
    AuditCheckpointRow,
    AuditEventRow,
    AuditStreamRow,
    ChangeRow,
    CounterRow,
    FeedHeadRow,
    RevokedTokenRow,
    SubmissionRow,
)
from app.storage.models.people import SessionRow, UserRow
from app.storage.models.signing import SigningKeyRow
from app.storage.models.statuses import StatusEntryRow, StatusListRow
from app.storage.models.tenants import OrganizationRow, PlanRow
from app.storage.models.usage import (
    RequestRecordRow,
    UsageCountRow,
    UsageNetworkRow,
    UsageReportRow,
    UsageScopeRow,
)

__all__ = [
    "ApiKeyRow",
    "AuditCheckpointRow",
    "AuditEventRow",
    "AuditStreamRow",
    "Base",
    "ChangeRow",
    "ClientRow",
    "ClientSecretRow",
    "CounterRow",
    "FeedHeadRow",
    "NamingRow",
    "OrganizationRow",
    "PlanRow",
    "PresetRow",
    "RequestRecordRow",
    "ResourceRow",
    "RevokedTokenRow",
    "ScopeRow",
    "SessionRow",
    "SigningKeyRow",
    "StatusEntryRow",
    "StatusListRow",
    "SubmissionRow",
    "UsageCountRow",
    "UsageNetworkRow",
    "UsageReportRow",
    "UsageScopeRow",
    "UserRow",
    "db",
]
