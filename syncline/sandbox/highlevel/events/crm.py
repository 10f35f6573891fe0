"""Events that no payment hangs on: contacts, deals, calendars, messages, objects; data made up.

Source: HighLevel's webhook documents, whose examples name the fields; every one is optional there.
"""

from __future__ import annotations

from collections.abc import Callable

from syncline.sandbox.highlevel.events.scene import Sample, Scene, each
from syncline.sandbox.location.forms import uuid4_text
from syncline.sandbox.location.store import Document


def _contact(scene: Scene) -> Document:
    contact = {key: value for key, value in scene.contact.items() if key != "type"}
    return {
        **contact,
        "locationId": scene.location,
        "source": "Spring form",
        "dateOfBirth": "1990-01-05T00:00:00.000Z",
        "dnd": False,
        "tags": ["newsletter"],
        "website": "https://www.example.com/",
        "attachments": [],
        "assignedTo": scene.short_id(),
        "customFields": [{"id": scene.short_id(), "value": "Gold"}],
    }


def _contact_dnd(scene: Scene) -> Document:
    channels = ("SMS", "Call", "Email", "GMB", "FB", "WhatsApp")
    setting = {"status": "active", "message": "Asked by phone", "code": "101"}
    every = {channel: dict(setting) for channel in channels}
    return {**_contact(scene), "dnd": True, "dndSettings": every}


def _note(scene: Scene) -> Document:
    return {
        "id": scene.short_id(),
        "body": "Called back, wants a second quote.",
        "contactId": scene.contact["id"],
        "dateAdded": scene.at(),
    }


def _task(scene: Scene) -> Document:
    return {
        "id": scene.short_id(),
        "assignedTo": scene.short_id(),
        "body": "Ask about the delivery",
        "contactId": scene.contact["id"],
        "title": "Call back",
        "dateAdded": scene.at(),
        "dueDate": scene.at(days=1),
    }


def _opportunity(scene: Scene) -> Document:
    return {
        "id": scene.short_id(),
        "assignedTo": scene.short_id(),
        "contactId": scene.contact["id"],
        "monetaryValue": scene.rng.randrange(40, 4000),
        "name": f"Deal with {scene.contact['name']}",
        "pipelineId": scene.short_id(),
        "pipelineStageId": uuid4_text(scene.rng),
        "source": "Spring form",
        "status": "open",
        "dateAdded": scene.at(days=-1),
    }


def _appointment(scene: Scene) -> Document:
    user = scene.short_id()
    appointment = {
        "id": scene.short_id(),
        "address": "https://meet.example.com/room",
        "title": f"Talk with {scene.contact['name']}",
        "calendarId": scene.short_id(),
        "contactId": scene.contact["id"],
        "groupId": scene.short_id(),
        "appointmentStatus": "confirmed",
        "assignedUserId": user,
        "users": [user],
        "notes": "",
        "source": "booking_widget",
        "startTime": scene.at(days=2),
        "endTime": scene.at(days=2, hours=1),
        "dateAdded": scene.at(),
        "dateUpdated": scene.at(),
    }
    return {"appointment": appointment}


def _message(direction: str) -> Callable[[Scene], Document]:
    def fields(scene: Scene) -> Document:
        return {
            "attachments": [],
            "body": "Is my parcel on its way?",
            "contactId": scene.contact["id"],
            "contentType": "text/plain",
            "conversationId": scene.short_id(),
            "dateAdded": scene.at(),
            "direction": direction,
            "messageType": "SMS",
            "status": "delivered",
            "conversationProviderId": scene.short_id(),
        }

    return fields


def _provider_message(scene: Scene) -> Document:
    """Its `type` is the channel: the one event whose name stands nowhere in its body."""
    return {
        "contactId": scene.contact["id"],
        "messageId": scene.short_id(),
        "type": "SMS",
        "phone": scene.contact["phone"],
        "message": "Your parcel is on its way.",
        "attachments": [],
        "userId": scene.short_id(),
    }


def _unread(scene: Scene) -> Document:
    return {
        "id": scene.short_id(),
        "contactId": scene.contact["id"],
        "deleted": False,
        "inbox": True,
        "starred": False,
        "unreadCount": 1,
    }


def _email_stats(scene: Scene) -> Document:
    to = scene.contact["email"] or "somebody@example.com"
    return {
        "companyId": scene.company,
        "webhookPayload": {
            "event": "delivered",
            "id": scene.short_id(),
            "timestamp": int(scene.now.timestamp()),
            "flags": {"is-authenticated": True, "is-test-mode": False},
            "message": {
                "attachments": [],
                "headers": {"message-id": scene.short_id(), "from": "a@example.com", "to": to},
                "size": 1725,
            },
            "log-level": "info",
            "recipient": to,
            "recipient-domain": to.rpartition("@")[2],
            "tags": [f"loc_{scene.location}"],
            "delivery-status": {"attempt-no": 1, "code": 250, "session-seconds": 0.087},
        },
    }


def _record(scene: Scene) -> Document:
    return {
        "id": scene.long_id(),
        "owners": [scene.long_id()],
        "followers": [],
        "properties": [{"key": "serial", "valueString": "A-100"}],
    }


def _object_schema(scene: Scene) -> Document:
    return {
        "id": scene.long_id(),
        "labels": {"singular": "device", "plural": "devices"},
        "description": "What we service",
        "searchableProperties": ["custom_objects.devices.serial"],
        "primaryDisplayProperty": "custom_objects.devices.serial",
        "key": "custom_objects.devices",
        "updatedAt": scene.at(),
        "createdAt": scene.at(),
        "objectType": "USER_DEFINED",
    }


def _association(scene: Scene) -> Document:
    return {
        "id": scene.long_id(),
        "associationType": "USER_DEFINED",
        "firstObjectKey": "custom_objects.devices",
        "firstObjectLabel": "Device",
        "firstObjectToSecondObjectCardinality": "MANY_TO_MANY",
        "secondObjectKey": "contact",
        "secondObjectLabel": "Owner",
        "secondObjectToFirstObjectCardinality": "MANY_TO_MANY",
        "key": "device_owner",
    }


def _relation(scene: Scene) -> Document:
    return {
        "id": scene.long_id(),
        "firstObjectKey": "custom_objects.devices",
        "firstRecordId": scene.long_id(),
        "secondObjectKey": "contact",
        "secondRecordId": scene.contact["id"],
        "associationId": scene.long_id(),
    }


def _location(scene: Scene) -> Document:
    return {
        "id": scene.location,
        "companyId": scene.company,
        "name": "Blue Heron Supply",
        "email": "office@example.com",
        "stripeProductId": "prod_9f3a",
    }


def _user(scene: Scene) -> Document:
    return {
        "id": scene.short_id(),
        "firstName": "Grace",
        "lastName": "Okafor",
        "email": "grace@example.com",
        "phone": "+15125550142",
        "extension": "",
        "role": "user",
        "permissions": {"contactsEnabled": True, "paymentsEnabled": True, "refundsEnabled": False},
    }


def _campaign(scene: Scene) -> Document:
    return {
        "id": scene.short_id(),
        "contactId": scene.contact["id"],
        "status": "paused",
        "templateId": scene.short_id(),
        "replied": "",
        "dateAdded": scene.at(),
    }


CRM: dict[str, Sample] = {
    **each(_contact, "ContactCreate", "ContactUpdate", "ContactDelete", "ContactTagUpdate"),
    **each(_contact_dnd, "ContactDndUpdate"),
    **each(_note, "NoteCreate", "NoteUpdate", "NoteDelete"),
    **each(_task, "TaskCreate", "TaskComplete", "TaskDelete"),
    **each(
        _opportunity,
        *(f"Opportunity{act}" for act in ("Create", "Update", "Delete", "StageUpdate")),
        *(f"Opportunity{what}Update" for what in ("Status", "MonetaryValue", "AssignedTo")),
    ),
    **each(_appointment, "AppointmentCreate", "AppointmentUpdate", "AppointmentDelete"),
    **each(_message("inbound"), "InboundMessage"),
    **each(_message("outbound"), "OutboundMessage"),
    **each(_provider_message, "ProviderOutboundMessage"),
    **each(_unread, "ConversationUnreadUpdate"),
    **each(_email_stats, "LCEmailStats"),
    **each(_record, "RecordCreate", "RecordUpdate", "RecordDelete"),
    **each(_object_schema, "ObjectSchemaCreate", "ObjectSchemaUpdate"),
    **each(_association, "AssociationCreate", "AssociationUpdate", "AssociationDelete"),
    **each(_relation, "RelationCreate", "RelationDelete"),
    "LocationCreate": Sample(_location, located=False),
    "LocationUpdate": Sample(_location, located=False),
    **each(_user, "UserCreate"),
    **each(_campaign, "CampaignStatusUpdate"),
}
"""Samples by type."""
