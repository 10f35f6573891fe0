"""The fields of a posted element: names and types as in the API's schemas, strings converted.

A field that the schema does not have is dropped without a word, so a misspelt name shows in the
answer. A value of the wrong type refuses the whole body, each fault under its JSON path.
Source: the API's published OpenAPI document; the error shape was seen live.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from syncline.sandbox.halo.tenant.store import Row

Convert = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Nested:
    """A field that holds an object, or an array of objects, with fields of their own."""

    fields: Mapping[str, Convert]
    array: bool

    def __call__(self, value: Any) -> Any:
        """The value itself, if it is of the right kind."""
        return _list(value) if self.array else _object(value)


class MisfitError(ValueError):
    """A value does not fit the type of its field; the text is Halo's."""


_MOST = Decimal(10) ** 12
"""Beyond it a product of two amounts would no longer be exact."""
_INT32 = 2**31


def _integer(value: Any) -> int:
    if isinstance(value, str):
        try:
            value = int(value)
        except ValueError:
            raise MisfitError(f"Could not convert string to integer: {value}.") from None
    if isinstance(value, Decimal) and value == value.to_integral_value():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise MisfitError(_unexpected("integer", value))
    if abs(value) >= _INT32:
        raise MisfitError(f"JSON integer {value} is too large or small for an Int32.")
    return value


def _number(value: Any) -> Decimal:
    if isinstance(value, str):
        try:
            value = Decimal(value)
        except InvalidOperation:
            raise MisfitError(f"Could not convert string to double: {value}.") from None
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise MisfitError(_unexpected("double", value))
    number = Decimal(value)
    if not number.is_finite() or abs(number) >= _MOST:
        raise MisfitError(f"Could not convert to double: {value}.")
    return number


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list | dict | bool):
        raise MisfitError(_unexpected("string", value))
    return str(value)


def _flag(value: Any) -> bool:
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if isinstance(value, bool):
        return value
    raise MisfitError(f"Could not convert to boolean: {value}.")


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise MisfitError("The type requires a JSON array to deserialize correctly.")
    return value


def _object(value: Any) -> Row:
    if not isinstance(value, dict):
        raise MisfitError("The type requires a JSON object to deserialize correctly.")
    return value


def _unexpected(wanted: str, value: Any) -> str:
    tokens = {list: "StartArray", dict: "StartObject", bool: "Boolean", Decimal: "Float"}
    return f"Error reading {wanted}. Unexpected token: {tokens.get(type(value), 'String')}."


def fields(
    *,
    integers: str = "",
    numbers: str = "",
    texts: str = "",
    flags: str = "",
    lists: str = "",
    objects: str = "",
    link: bool = False,
    lines: Mapping[str, Convert] | None = None,
) -> dict[str, Convert]:
    """A table of field names, each with its conversion; `lines` are the fields of one line."""
    nested: dict[str, Convert] = {"new_external_link": Nested(LINK, array=False)} if link else {}
    if lines is not None:
        nested["lines"] = Nested(lines, array=True)
    kinds: tuple[tuple[str, Convert], ...] = (
        (integers, _integer),
        (numbers, _number),
        (texts, _text),
        (flags, _flag),
        (lists, _list),
        (objects, _object),
    )
    return {name: convert for names, convert in kinds for name in names.split()} | nested


LINK = fields(
    integers="id table_id module_id halo_id details_id",
    texts="third_party_id third_party_secondary_id third_party_type third_party_desc "
    "third_party_url third_party_status",
)
LINE = fields(
    integers="id sort_seq group_id item_id item_tax_code stocklocation_id supplier_id "
    "nominal_code_id line_site_id quotation_line_id contract_id",
    numbers="quantity qty_order baseprice costprice tax total_tax discount_perc net_total "
    "total_price total_net_total quantity_shipped",
    texts="name productcode note item_external_reference item_internal_reference item_description "
    "item_tax_name supplier_po nominalcode startdate",
    flags="do_not_invoice_line taxable isfreightline item_doesnotneedconsigning line_recurring "
    "isgroupdesc hideitems mark_as_complete _isimport",
    lists="customfields",
    link=True,
)
ORDER = fields(
    integers="id ticket_id user_id site_id client_id status assigned_agent leadsource deliverby "
    "currency_code quotation_id client_to_invoice_to_id soldby change_seq",
    numbers="revenue tax_total total deliveryamount deliverytax currency_conversion_rate",
    texts="title date ship_date note po_number summary datereceived ship_status accountsref "
    "invoice_date invoicenumber currency deladdress1 deladdress2 deladdress3 deladdress4 "
    "deladdress5 _importtype",
    flags="do_not_invoice override_delivery_address _create_invoice _create_po "
    "_dont_fire_automations _isimport _novalidate _forcethirdpartysync",
    lists="customfields",
    lines=LINE,
    objects="delivery_address",
    link=True,
)
INVOICE_LINE = fields(
    integers="id site ticket_id salesorder_line salesorder_line_id creditlinkedidid "
    "recurring_invoice_line_id group_id sequenceid period_type item_tax_code",
    numbers="qty_order unit_price unit_cost tax_rate tax_amount net_amount total_price",
    texts="item_code item_shortdescription item_longdescription nominal_code tax_code comment_1 "
    "comment_2 productnumber item_internal_reference item_external_reference item_tax_name "
    "startdate enddate _importtype",
    flags="isinactive isgroupdesc hideitems tax_code_overriden _isimport",
    lists="customfields",
)
INVOICE = fields(
    integers="id client_id sitenumber uid salesorder_id contract_id currency_code paymentterms "
    "ticket_id invoicetype paymentstatus emailstatus period period_type recurring_invoice_id "
    "creditlinkedtoinvoiceid due_date_int due_date_type assigned_agent client_to_invoice_to_id "
    "take_payment_on_duedate pdftemplate_id billingcategory daysplus",
    numbers="revenue tax_total amountpaid amountdue currency_conversion_rate percent total",
    texts="invoicenumber thirdpartyinvoicenumber name address1 address2 address3 address4 address5 "
    "contactname invoice_date schedule_date dateposted datesent datepaid duedate notes_1 notes_2 "
    "notes_3 order_number cust_order_number payment_ref reference internal_note startdate enddate "
    "nextcreationdate period_start_date period_end_date accountsid creation_source _importtype",
    flags="disabled posted hideinvoice is_recurring_invoice create_recurring_invoice voided "
    "take_auto_payment include_in_autopay mark_credit_as_used reviewrequired _is_process "
    "_sendmassinvoice _dont_fire_automations _isimport _novalidate _forcethirdpartysync",
    lists="customfields",
    link=True,
    lines=INVOICE_LINE,
)
PAYMENT = fields(
    integers="id invoice_id client_id method status module_id",
    numbers="amount",
    texts="date intent_id intent_date intent_response thirdpartyid sage50_reference "
    "invoice_match_id _importtype",
    flags="_isimport",
)
CLIENT = fields(
    integers="id toplevel_id accountmanagertech pritech customertype default_currency_code "
    "paymentterms newclient_web_access_level",
    texts="name ref accountsid colour notes website accountsemailaddress accountsccemailaddress "
    "newclient_sitename newclient_phonenumber newclient_domain newclient_contactname "
    "newclient_contactemail _importtype",
    flags="inactive is_vip isopportunity newclient_sendwelcomeemail dontinvoice emailinvoice "
    "_dont_fire_automations _isimport",
    lists="customfields",
    objects="newclient_delivery_address",
    link=True,
)
SITE = fields(
    integers="id client_id sla_id",
    texts="name ref phonenumber notes timezone accountsid emaildomain country_code _importtype "
    "newsite_contactname newsite_contactemail",
    flags="inactive isinvoicesite defaultdelivery newsite_sendwelcomeemail "
    "_dont_fire_automations _isimport",
    lists="customfields",
    objects="delivery_address invoice_address",
    link=True,
)
USERS = fields(
    integers="id site_id client_id priority_id linked_agent_id",
    texts="name firstname surname title emailaddress email2 email3 phonenumber "
    "phonenumber_preferred homenumber mobilenumber notes login third_party_id other1 "
    "other2 other3 other4 other5 _importtype",
    flags="inactive isimportantcontact neversendemails dontackemails isserviceaccount "
    "sendwelcomeemail _dont_fire_automations _isimport",
    lists="customfields",
    objects="primary_address",
    link=True,
)
CONSIGNMENT_LINE = fields(
    integers="id item_id salesorder_id salesorder_line stocklocation_id itemstock_id supplier_id",
    numbers="quantity costprice price",
    texts="name",
    flags="is_return serialise_only_one",
)
CONSIGNMENT = fields(
    integers="id ticket_id site_id salesorder_id pdftemplate_id stockbin_id",
    texts="date note address user_name use",
    flags="is_return ignoreserialisation",
    lines=CONSIGNMENT_LINE,
)
TICKET = fields(
    integers="id status_id tickettype_id priority_id client_id site_id user_id agent_id "
    "third_party_id salesorder_id orderhead_id sla_id impact urgency source parent_id "
    "categoryid_1 categoryid_2 categoryid_3 categoryid_4 supplier_id contract_id",
    texts="summary details details_html dateoccurred team reportedby user_email emailtolist "
    "emailcclist alsoinform ccaddress invite_emaillist client_reference supplier_reference "
    "third_party_id_string reference category_1 category_2 category_3 category_4 closure_note "
    "startdate targetdate _importtype",
    flags="flagged sendack createacknowledgement send_remoteinvite excludefromsla dont_do_rules "
    "apply_rules donotapplytemplateintheapi _dont_fire_automations _isimport _novalidate "
    "_forcereassign _validate_updates _recover _isalert",
    lists="customfields",
    link=True,
)
ACTION = fields(
    integers="id ticket_id outcome_id new_status actionby_agent_id emailtemplate_id salesorder_id",
    numbers="timetaken",
    texts="outcome datetime note note_html emailbody emailsubject emailto emailtonew emailcc "
    "emailccnew emailbcc emailbccnew smsto guid _importtype",
    flags="hiddenfromuser sendemail sendsms send_survey isBulkEmail important dont_do_rules "
    "_isimport _validate_travel _forcereassign",
    lists="customfields",
    link=True,
)
INTEGRATION_ERROR = fields(
    integers="id module_id detail_id entity_id",
    texts="entity_type entity_name endpoint error date",
)
WEBHOOK_MAPPING = fields(integers="id fiusage fiid", texts="webhookid finame filabel key")
WEBHOOK = fields(
    integers="type authentication_type method payload_type log_retention_policy_days "
    "runbook_start_type inbound_authentication_type certificate_id algorithm digest",
    texts="id name url content_type basic_username basic_password authentication_header "
    "signature_prefix note",
    flags="active custom_payload disabled",
    lists="events",
) | {"mappings": Nested(WEBHOOK_MAPPING, array=True)}
NOTIFICATION = fields(
    integers="id eventno type delivery_method agent_id emailtemplate_id",
    texts="guid name webhook_id",
    flags="sendpushnotification",
)


def typed(
    element: Any,
    known: Mapping[str, Convert],
    path: str,
    wrong: dict[str, list[str]],
) -> Row:
    """The known fields of one element, converted; each fault goes into `wrong` under its path."""
    if not isinstance(element, dict):
        wrong[path] = ["The type requires a JSON object to deserialize correctly."]
        return {}
    row: Row = {}
    for key, value in element.items():
        convert = known.get(key)
        if convert is None:
            continue
        try:
            row[key] = None if value is None else convert(value)
        except MisfitError as fault:
            at = f"{path}.{key}"
            wrong[at] = [f"{fault} Path '{at}', line 1, position {len(at)}."]
            continue
        if value is not None and isinstance(convert, Nested):
            row[key] = _nested(convert, row[key], f"{path}.{key}", wrong)
    return row


def _nested(kind: Nested, value: Any, path: str, wrong: dict[str, list[str]]) -> Any:
    if kind.array:
        return [typed(one, kind.fields, f"{path}[{at}]", wrong) for at, one in enumerate(value)]
    return typed(value, kind.fields, path, wrong)


def plain(row: Row) -> Row:
    """A row as it is stored: amounts as doubles, instructions left out."""
    return {
        key: float(value) if type(value) is Decimal else value
        for key, value in row.items()
        if not key.startswith(("_", "new"))
    }
