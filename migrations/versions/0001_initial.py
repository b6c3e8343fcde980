"""The router's tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("tier", sa.String(length=100), nullable=True),
        sa.Column("segment", sa.String(length=100), nullable=True),
        sa.Column("arr", sa.Float(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("renewal_date", sa.Date(), nullable=True),
        sa.Column("csm", sa.String(length=320), nullable=True),
        sa.Column("csm_manager", sa.String(length=320), nullable=True),
        sa.Column("support_lead", sa.String(length=320), nullable=True),
        sa.Column("deleted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
    )
    op.create_table(
        "cases",
        sa.Column("id", sa.String(length=20), nullable=False),
        sa.Column(
            "account_key", sa.String(length=400), nullable=False, comment="account id, or `unknown:...` of an orphan"
        ),
        sa.Column("account_id", sa.String(length=200), nullable=True),
        sa.Column("account_name", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("severity", sa.String(length=16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("head_hash", sa.String(length=64), nullable=False),
        sa.Column("owner", sa.String(length=320), nullable=False),
        sa.Column("owner_reason", sa.Text(), nullable=False),
        sa.Column("owner_pinned", sa.Boolean(), nullable=False),
        sa.Column("support_lead", sa.String(length=320), nullable=True),
        sa.Column("terms", sa.JSON(), nullable=False),
        sa.Column("policy_version", sa.String(length=12), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("touch_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_by", sa.String(length=320), nullable=True),
        sa.Column("touched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("touched_by", sa.String(length=320), nullable=True),
        sa.Column("close_out_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("close_out_asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("snoozed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reopened", sa.Integer(), nullable=False),
        sa.Column("merged_into", sa.String(length=20), nullable=True),
        sa.Column(
            "last_command",
            sa.String(length=64),
            nullable=True,
            comment="fingerprint of the last person's command, to know a repeat (G8)",
        ),
        sa.Column("last_command_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases")),
    )
    op.create_index("ix_cases_account_id", "cases", ["account_id", "opened_at"], unique=False)
    op.create_index("ix_cases_opened_at", "cases", ["opened_at", "id"], unique=False)
    op.create_index(
        "ix_cases_orphans",
        "cases",
        ["account_key"],
        unique=False,
        sqlite_where=sa.text("account_id IS NULL AND status NOT IN ('closed', 'dismissed')"),
        postgresql_where=sa.text("account_id IS NULL AND status NOT IN ('closed', 'dismissed')"),
    )
    op.create_index("ix_cases_owner", "cases", ["owner", "opened_at"], unique=False)
    op.create_index(
        "ix_cases_touch_due_at",
        "cases",
        ["touch_due_at"],
        unique=False,
        sqlite_where=sa.text("status IN ('open', 'acknowledged')"),
        postgresql_where=sa.text("status IN ('open', 'acknowledged')"),
    )
    op.create_index(
        "uq_cases_open_account",
        "cases",
        ["account_key"],
        unique=True,
        sqlite_where=sa.text("status NOT IN ('closed', 'dismissed')"),
        postgresql_where=sa.text("status NOT IN ('closed', 'dismissed')"),
    )
    op.create_table(
        "deadlines",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("case_id", sa.String(length=20), nullable=True),
        sa.Column("response_id", sa.String(length=36), nullable=True),
        sa.Column("clock_id", sa.String(length=36), nullable=True),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("step", sa.Integer(), server_default="0", nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.String(length=16), nullable=True, comment="fired or cancelled"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deadlines")),
    )
    op.create_index(
        "ix_deadlines_case_id",
        "deadlines",
        ["case_id"],
        unique=False,
        sqlite_where=sa.text("done_at IS NULL"),
        postgresql_where=sa.text("done_at IS NULL"),
    )
    op.create_index(
        "ix_deadlines_due",
        "deadlines",
        ["due_at"],
        unique=False,
        sqlite_where=sa.text("done_at IS NULL"),
        postgresql_where=sa.text("done_at IS NULL"),
    )
    op.create_index(
        "ix_deadlines_response_id",
        "deadlines",
        ["response_id"],
        unique=False,
        sqlite_where=sa.text("done_at IS NULL"),
        postgresql_where=sa.text("done_at IS NULL"),
    )
    op.create_table(
        "deliveries",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        comment="Event ids already handled: what arrives twice is handled once (G2).",
    )
    op.create_index("ix_deliveries_seen_at", "deliveries", ["seen_at"], unique=False)
    op.create_table(
        "heartbeats",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("count", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_heartbeats")),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("holder", sa.String(length=64), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    op.create_table(
        "notices",
        sa.Column("id", sa.String(length=36), nullable=False, comment="the delivery id in Slack's message metadata"),
        sa.Column("case_id", sa.String(length=20), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("recipient", sa.String(length=320), nullable=False, comment="e-mail of a person"),
        sa.Column(
            "role", sa.String(length=24), nullable=False, comment="owner, support_lead, csm_manager, fallback_owner"
        ),
        sa.Column("seq", sa.Integer(), nullable=False, comment="journal entry that caused it"),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False, comment="lower goes first"),
        sa.Column("state", sa.String(length=12), server_default="pending", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "since",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="received_at of what is alerted, for the event-to-alert time",
        ),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("attempt_started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempt_ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("looks", sa.Integer(), server_default="0", nullable=False, comment="reconciling looks made"),
        sa.Column(
            "destination",
            sa.String(length=64),
            nullable=True,
            comment="what the rate lease is held on; resolved before sending",
        ),
        sa.Column("channel", sa.String(length=64), nullable=True),
        sa.Column("ts", sa.String(length=32), nullable=True),
        sa.Column("thread_ts", sa.String(length=32), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("repeat", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "desired_rev",
            sa.Integer(),
            server_default="1",
            nullable=False,
            comment="cards: case version that should show",
        ),
        sa.Column("published_rev", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
        sa.UniqueConstraint("case_id", "kind", "seq", "recipient", name="uq_notices_once"),
    )
    op.create_index("ix_notices_case_id", "notices", ["case_id"], unique=False)
    op.create_index("ix_notices_place", "notices", ["channel", "ts"], unique=False)
    op.create_index(
        "ix_notices_stale_cards",
        "notices",
        ["desired_rev"],
        unique=False,
        sqlite_where=sa.text("state = 'sent' AND desired_rev > published_rev"),
        postgresql_where=sa.text("state = 'sent' AND desired_rev > published_rev"),
    )
    op.create_index(
        "ix_notices_waiting",
        "notices",
        ["priority", "created_at"],
        unique=False,
        sqlite_where=sa.text("state IN ('pending', 'sending', 'uncertain')"),
        postgresql_where=sa.text("state IN ('pending', 'sending', 'uncertain')"),
    )
    op.create_table(
        "people",
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("slack_id", sa.String(length=32), nullable=True),
        sa.Column("dm_channel", sa.String(length=32), nullable=True),
        sa.Column("timezone", sa.String(length=64), nullable=True),
        sa.Column(
            "unreachable",
            sa.Text(),
            nullable=True,
            comment="why no Slack message can reach this person; NULL when one can",
        ),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("email", name=op.f("pk_people")),
    )
    op.create_index("ix_people_slack_id", "people", ["slack_id"], unique=False)
    op.create_table(
        "responses",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("record_id", sa.String(length=512), nullable=False),
        sa.Column("metric", sa.String(length=8), nullable=False),
        sa.Column("raw_score", sa.JSON(), nullable=True),
        sa.Column("raw_scale", sa.JSON(), nullable=True),
        sa.Column("normalised_score", sa.Float(), nullable=True),
        sa.Column("comment_id", sa.String(length=36), nullable=True),
        sa.Column("survey_id", sa.String(length=255), nullable=True),
        sa.Column("ticket_id", sa.String(length=255), nullable=True),
        sa.Column("ticket_url", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("requester_email", sa.String(length=320), nullable=True),
        sa.Column("requester_name", sa.Text(), nullable=True),
        sa.Column("requester_domain", sa.String(length=255), nullable=True),
        sa.Column("account_hint", sa.JSON(), nullable=False),
        sa.Column("assignee", sa.JSON(), nullable=True),
        sa.Column("account_id", sa.String(length=200), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("flagged", sa.Boolean(), nullable=False),
        sa.Column("late", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("withdrawn", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "flagged_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="received_at of the delivery that flagged it: where the clocks start",
        ),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("policy_version", sa.String(length=12), nullable=False),
        sa.Column("case_id", sa.String(length=20), nullable=True),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_responses")),
    )
    op.create_index("ix_responses_account_id", "responses", ["account_id", "flagged_at"], unique=False)
    op.create_index("ix_responses_case_id", "responses", ["case_id"], unique=False)
    op.create_index("ix_responses_received_at", "responses", ["received_at"], unique=False)
    op.create_index("ix_responses_ticket", "responses", ["source", "ticket_id"], unique=False)
    op.create_index(
        "ix_responses_unmatched",
        "responses",
        ["requester_domain"],
        unique=False,
        sqlite_where=sa.text("account_id IS NULL"),
        postgresql_where=sa.text("account_id IS NULL"),
    )
    op.create_table(
        "texts",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column(
            "body", sa.Text(), nullable=True, comment="NULL when erased: the chain holds only a salted digest (G10)"
        ),
        sa.Column("salt", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("response_id", sa.String(length=36), nullable=True),
        sa.Column("case_id", sa.String(length=20), nullable=True),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_texts")),
    )
    op.create_index("ix_texts_case_id", "texts", ["case_id"], unique=False)
    op.create_index("ix_texts_response_id", "texts", ["response_id"], unique=False)
    op.create_table(
        "tickets",
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("ticket_id", sa.String(length=255), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=True),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("requester_email", sa.String(length=320), nullable=True),
        sa.Column("requester_name", sa.Text(), nullable=True),
        sa.Column("account_hint", sa.JSON(), nullable=False),
        sa.Column("assignee", sa.JSON(), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("source", "ticket_id", name=op.f("pk_tickets")),
    )
    op.create_table(
        "account_aliases",
        sa.Column("account_id", sa.String(length=200), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("vendor_id", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_account_aliases_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", "source", "vendor_id", name=op.f("pk_account_aliases")),
    )
    op.create_index("ix_account_aliases_vendor_id", "account_aliases", ["vendor_id", "source"], unique=False)
    op.create_table(
        "account_domains",
        sa.Column("account_id", sa.String(length=200), nullable=False),
        sa.Column("domain", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_account_domains_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", "domain", name=op.f("pk_account_domains")),
    )
    op.create_index("ix_account_domains_domain", "account_domains", ["domain"], unique=False)
    op.create_table(
        "contacts",
        sa.Column("account_id", sa.String(length=200), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_contacts_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", "email", name=op.f("pk_contacts")),
    )
    op.create_index("ix_contacts_email", "contacts", ["email"], unique=False)
    op.create_table(
        "journal",
        sa.Column("case_id", sa.String(length=20), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(length=320), nullable=False),
        sa.Column("type", sa.String(length=40), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False, comment="canonical JSON: the bytes the hash was made over"),
        sa.Column("prev_hash", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("relayed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_journal_case_id")),
        sa.PrimaryKeyConstraint("case_id", "seq", name=op.f("pk_journal")),
    )
    op.create_index("ix_journal_type", "journal", ["type", "at"], unique=False)
    op.create_index(
        "ix_journal_unrelayed",
        "journal",
        ["at"],
        unique=False,
        sqlite_where=sa.text("relayed_at IS NULL"),
        postgresql_where=sa.text("relayed_at IS NULL"),
    )
    op.create_table(
        "touch_clocks",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("case_id", sa.String(length=20), nullable=False),
        sa.Column("cause", sa.String(length=16), nullable=False, comment="response, manual or reopened"),
        sa.Column("response_id", sa.String(length=36), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("joined_version", sa.Integer(), nullable=False),
        sa.Column("touched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("touched_seq", sa.Integer(), nullable=True),
        sa.Column("policy_version", sa.String(length=12), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_touch_clocks_case_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_touch_clocks")),
    )
    op.create_index("ix_touch_clocks_case_id", "touch_clocks", ["case_id"], unique=False)
    op.create_index("ix_touch_clocks_started_at", "touch_clocks", ["started_at"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_touch_clocks_started_at", table_name="touch_clocks")
    op.drop_index("ix_touch_clocks_case_id", table_name="touch_clocks")
    op.drop_table("touch_clocks")
    op.drop_index(
        "ix_journal_unrelayed",
        table_name="journal",
        sqlite_where=sa.text("relayed_at IS NULL"),
        postgresql_where=sa.text("relayed_at IS NULL"),
    )
    op.drop_index("ix_journal_type", table_name="journal")
    op.drop_table("journal")
    op.drop_index("ix_contacts_email", table_name="contacts")
    op.drop_table("contacts")
    op.drop_index("ix_account_domains_domain", table_name="account_domains")
    op.drop_table("account_domains")
    op.drop_index("ix_account_aliases_vendor_id", table_name="account_aliases")
    op.drop_table("account_aliases")
    op.drop_table("tickets")
    op.drop_index("ix_texts_response_id", table_name="texts")
    op.drop_index("ix_texts_case_id", table_name="texts")
    op.drop_table("texts")
    op.drop_index(
        "ix_responses_unmatched",
        table_name="responses",
        sqlite_where=sa.text("account_id IS NULL"),
        postgresql_where=sa.text("account_id IS NULL"),
    )
    op.drop_index("ix_responses_ticket", table_name="responses")
    op.drop_index("ix_responses_received_at", table_name="responses")
    op.drop_index("ix_responses_case_id", table_name="responses")
    op.drop_index("ix_responses_account_id", table_name="responses")
    op.drop_table("responses")
    op.drop_index("ix_people_slack_id", table_name="people")
    op.drop_table("people")
    op.drop_index(
        "ix_notices_waiting",
        table_name="notices",
        sqlite_where=sa.text("state IN ('pending', 'sending', 'uncertain')"),
        postgresql_where=sa.text("state IN ('pending', 'sending', 'uncertain')"),
    )
    op.drop_index(
        "ix_notices_stale_cards",
        table_name="notices",
        sqlite_where=sa.text("state = 'sent' AND desired_rev > published_rev"),
        postgresql_where=sa.text("state = 'sent' AND desired_rev > published_rev"),
    )
    op.drop_index("ix_notices_place", table_name="notices")
    op.drop_index("ix_notices_case_id", table_name="notices")
    op.drop_table("notices")
    op.drop_table("leases")
    op.drop_table("heartbeats")
    op.drop_index("ix_deliveries_seen_at", table_name="deliveries")
    op.drop_table("deliveries")
    op.drop_index(
        "ix_deadlines_response_id",
        table_name="deadlines",
        sqlite_where=sa.text("done_at IS NULL"),
        postgresql_where=sa.text("done_at IS NULL"),
    )
    op.drop_index(
        "ix_deadlines_due",
        table_name="deadlines",
        sqlite_where=sa.text("done_at IS NULL"),
        postgresql_where=sa.text("done_at IS NULL"),
    )
    op.drop_index(
        "ix_deadlines_case_id",
        table_name="deadlines",
        sqlite_where=sa.text("done_at IS NULL"),
        postgresql_where=sa.text("done_at IS NULL"),
    )
    op.drop_table("deadlines")
    op.drop_index(
        "uq_cases_open_account",
        table_name="cases",
        sqlite_where=sa.text("status NOT IN ('closed', 'dismissed')"),
        postgresql_where=sa.text("status NOT IN ('closed', 'dismissed')"),
    )
    op.drop_index(
        "ix_cases_touch_due_at",
        table_name="cases",
        sqlite_where=sa.text("status IN ('open', 'acknowledged')"),
        postgresql_where=sa.text("status IN ('open', 'acknowledged')"),
    )
    op.drop_index("ix_cases_owner", table_name="cases")
    op.drop_index(
        "ix_cases_orphans",
        table_name="cases",
        sqlite_where=sa.text("account_id IS NULL AND status NOT IN ('closed', 'dismissed')"),
        postgresql_where=sa.text("account_id IS NULL AND status NOT IN ('closed', 'dismissed')"),
    )
    op.drop_index("ix_cases_opened_at", table_name="cases")
    op.drop_index("ix_cases_account_id", table_name="cases")
    op.drop_table("cases")
    op.drop_table("accounts")
