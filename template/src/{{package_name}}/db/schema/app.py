"""Lane B: the tables that this application owns. Yours to edit.

After a change: `invoke db.gen -m "add notes"`, look through the revision, `invoke db.push`.
A new table is closed to users until an SQL file under `supabase/sql` gives it policies.

    import enum
    import uuid

    from pgvector.sqlalchemy import Vector
    from sqlalchemy import Enum, ForeignKey, Index
    from sqlalchemy.orm import Mapped, mapped_column, relationship

    from .base import AppBase, AuthUsers, TenantOwned, Timestamps, UUIDKey
    from .introspected import Contacts


    class Mood(enum.Enum):
        good = "good"
        bad = "bad"


    class Notes(UUIDKey, TenantOwned, Timestamps, AppBase):
        __tablename__ = "notes"

        body: Mapped[str]
        mood: Mapped[Mood | None] = mapped_column(Enum(Mood, name="note_mood"))
        embedding: Mapped[list[float] | None] = mapped_column(Vector(1536))

        # To another lane's table: by the attribute, never by a string.
        contact_id: Mapped[uuid.UUID] = mapped_column(
            ForeignKey(Contacts.id, ondelete="CASCADE"), index=True
        )
        editor_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey(AuthUsers.id))

        contact: Mapped[Contacts] = relationship()

        __table_args__ = (Index("notes_contact_timeline_idx", contact_id, "created_at"),)
"""
