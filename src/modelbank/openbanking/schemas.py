"""The exact shapes of the requests (v4.0 Update 4): nothing unknown, nothing null, every length and list of values checked."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from modelbank.openbanking.times import Moment

PURPOSE_CODES = frozenset(Path(__file__).with_name("purpose_codes.txt").read_text(encoding="ascii").split())

Text1 = Annotated[str, Meta(min_length=1)]
Text4 = Annotated[str, Meta(min_length=1, max_length=4)]
Text16 = Annotated[str, Meta(min_length=1, max_length=16)]
Text34 = Annotated[str, Meta(min_length=1, max_length=34)]
Text35 = Annotated[str, Meta(min_length=1, max_length=35)]
Text40 = Annotated[str, Meta(min_length=1, max_length=40)]
Text70 = Annotated[str, Meta(min_length=1, max_length=70)]
Text128 = Annotated[str, Meta(min_length=1, max_length=128)]
Text140 = Annotated[str, Meta(min_length=1, max_length=140)]
Text256 = Annotated[str, Meta(min_length=1, max_length=256)]
Text350 = Annotated[str, Meta(min_length=1, max_length=350)]
Text2048 = Annotated[str, Meta(min_length=1, max_length=2048)]
Country = Annotated[str, Meta(pattern=r"^[A-Z]{2}\Z")]
Lei = Annotated[str, Meta(min_length=1, max_length=20, pattern=r"^[0-9]{4}00[A-Z0-9]{12}[0-9]{2}")]
Scheme = Literal["UK.OBIE.BBAN", "UK.OBIE.IBAN", "UK.OBIE.PAN", "UK.OBIE.Paym", "UK.OBIE.SortCodeAccountNumber", "UK.OBIE.Wallet"]
Instrument = Literal[
    "UK.OBIE.BACS", "UK.OBIE.BalanceTransfer", "UK.OBIE.CHAPS", "UK.OBIE.Euro1", "UK.OBIE.FPS", "UK.OBIE.Link",
    "UK.OBIE.MoneyTransfer", "UK.OBIE.Paym", "UK.OBIE.SEPACreditTransfer", "UK.OBIE.SEPAInstantCreditTransfer",
    "UK.OBIE.SWIFT", "UK.OBIE.Target2",
]  # fmt: skip
ProxyCode = Literal[
    "TELE", "EMAL", "DNAM", "CINC", "COTX", "COID", "CUST", "DRLC", "EIDN", "EWAL", "PVTX", "LEIC", "MBNO", "NIDN", "CCPT",
    "SHID", "SOSE", "TOKN", "UBIL", "VIPN", "BIID",
]  # fmt: skip
CategoryPurpose = Literal[
    "BONU", "CASH", "CBLK", "CCRD", "CGWV", "CIPC", "CONC", "CORT", "DCRD", "DIVI", "DVPM", "EPAY", "FCDT", "FCIN", "FCOL",
    "GOVT", "GP2P", "HEDG", "ICCP", "IDCP", "INTC", "INTE", "LBOX", "LOAN", "MP2B", "MP2P", "OTHR", "PENS", "RPRE", "RRCT",
    "RVPM", "SALA", "SECU", "SSBE", "SUPP", "SWEP", "TAXS", "TOPG", "TRAD", "TREA", "VATX", "VOST", "WHLD", "ZABA",
]  # fmt: skip
BeneficiaryType = Literal[
    "Business", "BusinessSavingsAccount", "Charity", "Collection", "Corporate", "Ewallet", "Government", "Investment", "ISA",
    "JointPersonal", "Pension", "Personal", "PersonalSavingsAccount", "Premier", "Wealth",
]  # fmt: skip
PaymentContext = Literal[
    "BillingGoodsAndServicesInAdvance", "BillingGoodsAndServicesInArrears", "EcommerceMerchantInitiatedPayment",
    "FaceToFacePointOfSale", "TransferToSelf", "TransferToThirdParty",
]  # fmt: skip
AddressType = Literal["BIZZ", "DLVY", "MLTO", "PBOX", "ADDR", "HOME", "CORR", "STAT"]
Permission = Literal[
    "ReadAccountsBasic", "ReadAccountsDetail", "ReadBalances", "ReadBeneficiariesBasic", "ReadBeneficiariesDetail",
    "ReadDirectDebits", "ReadOffers", "ReadPAN", "ReadParty", "ReadPartyPSU", "ReadProducts", "ReadScheduledPaymentsBasic",
    "ReadScheduledPaymentsDetail", "ReadStandingOrdersBasic", "ReadStandingOrdersDetail", "ReadStatementsBasic",
    "ReadStatementsDetail", "ReadTransactionsBasic", "ReadTransactionsCredits", "ReadTransactionsDebits",
    "ReadTransactionsDetail",
]  # fmt: skip


class Closed(Struct, frozen=True, forbid_unknown_fields=True, rename="pascal"):
    """An object that the standard closes: an unknown member is refused."""


class Open(Struct, frozen=True, rename="pascal"):
    """An object that the standard leaves open."""


class Amount(Closed, frozen=True):
    """Money: at most 13 digits, and at most 5 after the point."""

    amount: Annotated[str, Meta(pattern=r"^[0-9]{1,13}(\.[0-9]{1,5})?\Z")]
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}\Z")]


class Proxy(Open, frozen=True):
    """An alias of an account."""

    identification: Text2048
    code: ProxyCode
    type: Text35 | UnsetType = UNSET


class DebtorAccount(Closed, frozen=True):
    """The account to pay from, when the client names it."""

    scheme_name: Scheme
    identification: Text256
    name: Text350 | UnsetType = UNSET
    secondary_identification: Text34 | UnsetType = UNSET
    proxy: Proxy | UnsetType = UNSET


class CreditorAccount(Closed, frozen=True):
    """The account to pay to."""

    scheme_name: Scheme
    identification: Text256
    name: Text350
    secondary_identification: Text34 | UnsetType = UNSET
    proxy: Proxy | UnsetType = UNSET


class Address(Closed, frozen=True):
    """A postal address (PostalAddress7)."""

    address_type: AddressType | UnsetType = UNSET
    department: Text70 | UnsetType = UNSET
    sub_department: Text70 | UnsetType = UNSET
    street_name: Text140 | UnsetType = UNSET
    building_number: Text16 | UnsetType = UNSET
    building_name: Text140 | UnsetType = UNSET
    floor: Text70 | UnsetType = UNSET
    unit_number: Text16 | UnsetType = UNSET
    room: Text70 | UnsetType = UNSET
    post_box: Text16 | UnsetType = UNSET
    town_location_name: Text140 | UnsetType = UNSET
    district_name: Text140 | UnsetType = UNSET
    care_of: Text140 | UnsetType = UNSET
    post_code: Text16 | UnsetType = UNSET
    town_name: Text140 | UnsetType = UNSET
    country_sub_division: Text35 | UnsetType = UNSET
    country: Country | UnsetType = UNSET
    address_line: Annotated[list[Text70], Meta(max_length=7)] | UnsetType = UNSET


class CreditorAgent(Struct, frozen=True, forbid_unknown_fields=True):
    """The bank to pay to."""

    SchemeName: Literal["UK.OBIE.BICFI"] | UnsetType = UNSET
    Identification: Text35 | UnsetType = UNSET
    Name: Text140 | UnsetType = UNSET
    LEI: Lei | UnsetType = UNSET
    PostalAddress: Address | UnsetType = UNSET


class Ultimate(Struct, frozen=True):
    """The party behind the debtor or creditor."""

    Name: Text140 | UnsetType = UNSET
    Identification: Text256 | UnsetType = UNSET
    LEI: Lei | UnsetType = UNSET
    SchemeName: Scheme | UnsetType = UNSET
    PostalAddress: Address | UnsetType = UNSET


class Authority(Open, frozen=True):
    """To whom something must be reported."""

    name: Text140 | UnsetType = UNSET
    country_code: Country | UnsetType = UNSET


class ReportingDetail(Open, frozen=True):
    """What must be reported."""

    type: Text35 | UnsetType = UNSET
    date: datetime | UnsetType = UNSET
    country: Country | UnsetType = UNSET
    amount: Amount | UnsetType = UNSET
    information: list[Text35] | UnsetType = UNSET


class RegulatoryReporting(Open, frozen=True):
    """A report to an authority."""

    debit_credit_reporting_indicator: Literal["CRED", "DEBT", "BOTH"] | UnsetType = UNSET
    authority: Authority | UnsetType = UNSET
    details: list[ReportingDetail] | UnsetType = UNSET


class CreditorReference(Open, frozen=True):
    """The payee's own reference."""

    code: Literal["DISP", "FXDR", "PUOR", "RPIN", "RADM", "SCOR"] | UnsetType = UNSET
    issuer: Text35 | UnsetType = UNSET
    reference: Text35 | UnsetType = UNSET


class ReferredDocument(Open, frozen=True):
    """A document that the payment is about."""

    code: Text4 | UnsetType = UNSET
    issuer: Text35 | UnsetType = UNSET
    number: Text35 | UnsetType = UNSET
    related_date: datetime | UnsetType = UNSET
    line_details: list[str] | UnsetType = UNSET


class StructuredRemittance(Open, frozen=True):
    """What the payment is about, in parts."""

    referred_document_information: list[ReferredDocument] | UnsetType = UNSET
    referred_document_amount: int | UnsetType = UNSET
    creditor_reference_information: CreditorReference | UnsetType = UNSET
    invoicer: Text256 | UnsetType = UNSET
    invoicee: Text256 | UnsetType = UNSET
    tax_remittance: Text140 | UnsetType = UNSET
    additional_remittance_information: Annotated[list[Text140], Meta(max_length=3)] | UnsetType = UNSET


class Remittance(Open, frozen=True):
    """What the payment is about."""

    structured: list[StructuredRemittance] | UnsetType = UNSET
    unstructured: list[Text140] | UnsetType = UNSET

    @property
    def reference(self) -> str | None:
        """Return the text that the payee's statement will show."""
        for part in self.structured or ():
            if part.creditor_reference_information and part.creditor_reference_information.reference:
                return part.creditor_reference_information.reference
        return self.unstructured[0] if self.unstructured else None


class Initiation(Closed, frozen=True):
    """A domestic payment (OBDomestic2)."""

    instruction_identification: Text35
    end_to_end_identification: Text35
    instructed_amount: Amount
    creditor_account: CreditorAccount
    local_instrument: Instrument | UnsetType = UNSET
    debtor_account: DebtorAccount | UnsetType = UNSET
    creditor_agent: CreditorAgent | UnsetType = UNSET
    creditor_postal_address: Address | UnsetType = UNSET
    ultimate_creditor: Ultimate | UnsetType = UNSET
    ultimate_debtor: Ultimate | UnsetType = UNSET
    regulatory_reporting: Annotated[list[RegulatoryReporting], Meta(max_length=10)] | UnsetType = UNSET
    remittance_information: Remittance | UnsetType = UNSET
    supplementary_data: dict[str, Any] | UnsetType = UNSET


class Authorisation(Closed, frozen=True):
    """How many people may have to agree."""

    authorisation_type: Literal["Any", "Single"]
    completion_date_time: datetime | UnsetType = UNSET


class ScaSupportData(Open, frozen=True):
    """What the client knows about the customer's authentication."""

    # The standard spells SCA in capitals here.
    requested_sca_exemption_type: (
        Literal["BillPayment", "ContactlessTravel", "EcommerceGoods", "EcommerceServices", "Kiosk", "Parking", "PartyToParty"]
        | UnsetType
    ) = msgspec.field(default=UNSET, name="RequestedSCAExemptionType")
    applied_authentication_approach: Literal["CA", "SCA"] | UnsetType = UNSET
    reference_payment_order_id: Text40 | UnsetType = UNSET


class PaymentRisk(Closed, frozen=True):
    """The client's words for the bank's fraud rules (OBRisk1)."""

    payment_context_code: PaymentContext | UnsetType = UNSET
    merchant_category_code: Annotated[str, Meta(min_length=3, max_length=4)] | UnsetType = UNSET
    merchant_customer_identification: Text70 | UnsetType = UNSET
    contract_present_indicator: bool | UnsetType = UNSET
    beneficiary_prepopulated_indicator: bool | UnsetType = UNSET
    payment_purpose_code: Text4 | UnsetType = UNSET
    category_purpose_code: CategoryPurpose | UnsetType = UNSET
    beneficiary_account_type: BeneficiaryType | UnsetType = UNSET
    delivery_address: Address | UnsetType = UNSET


class PaymentConsentData(Closed, frozen=True):
    """`Data` of a payment consent."""

    initiation: Initiation
    read_refund_account: Literal["No", "Yes"] | UnsetType = UNSET
    authorisation: Authorisation | UnsetType = UNSET
    sca_support_data: ScaSupportData | UnsetType = msgspec.field(default=UNSET, name="SCASupportData")


class PaymentConsentRequest(Closed, frozen=True):
    """`POST /domestic-payment-consents` (OBWriteDomesticConsent4)."""

    data: PaymentConsentData
    risk: PaymentRisk


class PaymentData(Closed, frozen=True):
    """`Data` of a payment."""

    consent_id: Text128
    initiation: Initiation


class PaymentRequest(Closed, frozen=True):
    """`POST /domestic-payments` (OBWriteDomestic2)."""

    data: PaymentData
    risk: PaymentRisk


class FundsConsentData(Closed, frozen=True):
    """`Data` of a consent to confirm funds."""

    debtor_account: DebtorAccount
    expiration_date_time: Moment | UnsetType = UNSET


class FundsConsentRequest(Closed, frozen=True):
    """`POST /funds-confirmation-consents` (OBFundsConfirmationConsent1)."""

    data: FundsConsentData


class FundsData(Closed, frozen=True):
    """`Data` of a question about funds."""

    consent_id: Text128
    reference: Text35
    instructed_amount: Amount


class FundsRequest(Closed, frozen=True):
    """`POST /funds-confirmations` (OBFundsConfirmation1)."""

    data: FundsData


class EmptyRisk(Closed, frozen=True):
    """`Risk` of account information, which is empty (OBRisk2)."""


class AccessConsentData(Open, frozen=True):
    """`Data` of an account access consent."""

    permissions: Annotated[list[Permission], Meta(min_length=1)]
    expiration_date_time: Moment | UnsetType = UNSET
    transaction_from_date_time: Moment | UnsetType = UNSET
    transaction_to_date_time: Moment | UnsetType = UNSET


class AccessConsentRequest(Open, frozen=True):
    """`POST /account-access-consents` (OBReadConsent1)."""

    data: AccessConsentData
    risk: EmptyRisk
