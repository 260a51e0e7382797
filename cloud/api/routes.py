"""The table of all routes: what there is, who may ask for it, and which function answers. Nothing is called here."""

from typing import Final

from cloud.api import answers, record_answers
from cloud.api.parameters import CARD_STATUS, FROM, MONTH, PAGED, PREFIX, TO
from cloud.api.route import (
    ALL_REQUESTS,
    AT_THE_DOORS,
    CARD_FINDERS,
    DOOR_EVENTS,
    EVERYONE,
    PEOPLE,
    RECORDED,
    SITE,
    Route,
    card_verb,
    change,
    place,
    read,
)
from cloud.domain.payloads import RequestType

_CALLER: Final = (
    Route("getMe", "GET", "/v1/me", "Who is asking, with which roles.", None, record_answers.Me),
    Route(
        "listSites",
        "GET",
        "/v1/sites",
        "List the sites where one has a role.",
        None,
        answers.Page[record_answers.Site],
        query=PAGED,
    ),
)

_PEOPLE: Final = (
    read("listPeople", "/people", "List people by id.", PEOPLE, answers.Page[answers.PersonEntry], PREFIX, *PAGED),
    read(
        "getPerson",
        "/people/{person}",
        "Read a person with cards and permissions.",
        PEOPLE,
        answers.Person,
        missing="person-unknown",
    ),
    read(
        "listPersonPermissions",
        "/people/{person}/permissions",
        "List a person's permissions.",
        PEOPLE,
        answers.Permissions,
        missing="person-unknown",
    ),
    read(
        "listPersonCards",
        "/people/{person}/cards",
        "List the cards that a person holds.",
        PEOPLE,
        answers.Cards,
        missing="person-unknown",
    ),
    read(
        "getPresence",
        "/people/{person}/presence",
        "Read where a person was last known to be.",
        AT_THE_DOORS,
        answers.Presence,
        missing="person-unknown",
    ),
    read(
        "listUsage",
        "/people/{person}/usage",
        "List what a person did at doors, newest first. The reading is recorded.",
        RECORDED,
        answers.Page[record_answers.Event],
        FROM,
        TO,
        *PAGED,
        missing="person-unknown",
    ),
    change("createPerson", "POST", "/people", RequestType.PERSON_CREATE),
    change("updatePerson", "PATCH", "/people/{person}", RequestType.PERSON_UPDATE, "person"),
    change("activatePerson", "POST", "/people/{person}/activate", RequestType.PERSON_ACTIVATE, "person"),
    change("deactivatePerson", "POST", "/people/{person}/deactivate", RequestType.PERSON_DEACTIVATE, "person"),
    change("importPeople", "POST", "/people/import", RequestType.PEOPLE_IMPORT),
    change("grantPermission", "POST", "/people/{person}/permissions", RequestType.PERMISSION_GRANT, "person"),
    change(
        "endPermission",
        "POST",
        "/people/{person}/permissions/{permission}/end",
        RequestType.PERMISSION_END,
        "person",
        "permission",
    ),
)

_CARDS: Final = (
    read(
        "listCards",
        "/cards",
        "List cards, those in one state if that is given.",
        PEOPLE,
        answers.Page[answers.Card],
        CARD_STATUS,
        *PAGED,
    ),
    read("getCard", "/cards/{card}", "Read a card.", PEOPLE, answers.Card, missing="card-unknown"),
    Route(
        "lookupCard",
        "POST",
        SITE + "/cards/lookup",
        "Find a card by the number that a reader shows.",
        CARD_FINDERS,
        answers.Card,
        missing="card-unknown",
    ),
    change("registerCards", "POST", "/cards", RequestType.CARD_REGISTER),
    change("issueCardByNumber", "POST", "/cards/issue", RequestType.CARD_ISSUE),
    card_verb("issue", "issueCard", RequestType.CARD_ISSUE),
    card_verb("return", "returnCard", RequestType.CARD_RETURN),
    card_verb("report-lost", "reportCardLost", RequestType.CARD_REPORT_LOST),
    card_verb("report-stolen", "reportCardStolen", RequestType.CARD_REPORT_STOLEN),
    card_verb("destroy", "destroyCard", RequestType.CARD_DESTROY),
    card_verb("expire", "expireCard", RequestType.CARD_EXPIRE),
    card_verb("reactivate", "reactivateCard", RequestType.CARD_REACTIVATE),
    card_verb("revoke", "revokeCard", RequestType.CARD_REVOKE),
    card_verb("replace", "replaceCard", RequestType.CARD_REPLACE),
)

_PLACES: Final = (
    *place("building", "buildings", answers.Building),
    *place("area", "areas", answers.Area),
    *place("door", "doors", answers.Door),
    *place("group", "groups", answers.Group),
    *place("schedule", "schedules", answers.Schedule),
    *place("holidays", "holidays", answers.Holidays),
    read(
        "getOccupancy",
        "/buildings/{building}/occupancy",
        "Count and list who is inside a building.",
        AT_THE_DOORS,
        answers.Occupancy,
        *PAGED,
        missing="building-unknown",
    ),
    read(
        "listDoorEvents",
        "/doors/{door}/events",
        "List what happened at a door, newest first.",
        DOOR_EVENTS,
        answers.Page[record_answers.Event],
        FROM,
        TO,
        *PAGED,
        missing="door-unknown",
    ),
)

_DEVICES_AND_STAFF: Final = (
    read(
        "listDevices", "/devices", "List controllers by id.", AT_THE_DOORS, answers.Page[record_answers.Device], *PAGED
    ),
    read(
        "getDevice",
        "/devices/{device}",
        "Read a controller.",
        AT_THE_DOORS,
        record_answers.Device,
        missing="device-unknown",
    ),
    change("registerDevice", "PUT", "/devices/{device}", RequestType.DEVICE_REGISTER, "device"),
    change("retireDevice", "POST", "/devices/{device}/retire", RequestType.DEVICE_RETIRE, "device"),
    read(
        "listOperators",
        "/operators",
        "List the roles of the staff at this site.",
        RECORDED,
        answers.Page[record_answers.OperatorGrant],
        *PAGED,
    ),
    change("grantRole", "POST", "/operators/{subject}/grants", RequestType.OPERATOR_GRANT, "subject"),
    change("endRole", "POST", "/operators/{subject}/grants/{grant}/end", RequestType.OPERATOR_END, "subject", "grant"),
)

_RECORDS: Final = (
    read(
        "listRequests",
        "/requests",
        "List requests, newest first.",
        ALL_REQUESTS,
        answers.Page[record_answers.Request],
        *PAGED,
    ),
    read(
        "getRequest",
        "/requests/{request}",
        "Read how far a request has come: one's own in any role.",
        EVERYONE,
        record_answers.Request,
        missing="request-unknown",
    ),
    read(
        "listAudit",
        "/audit",
        "List who did and read what in a month, newest first. The reading is recorded.",
        RECORDED,
        answers.Page[record_answers.AuditEntry],
        MONTH,
        *PAGED,
    ),
)

ROUTES: Final[tuple[Route, ...]] = (*_CALLER, *_PEOPLE, *_CARDS, *_PLACES, *_DEVICES_AND_STAFF, *_RECORDS)
