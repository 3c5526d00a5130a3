"""The peer of the SOAP row: spyne reads the very same message into its types, answers it, and keeps nothing.

`python spyne_echo.py PORT` in an environment of its own, under gunicorn with one worker, as our side is one process.
"""

from __future__ import annotations

import sys

from gunicorn.app.base import BaseApplication
from spyne import Application, Boolean, ComplexModel, Integer, ServiceBase, Unicode, rpc
from spyne.protocol.soap import Soap11
from spyne.server.wsgi import WsgiApplication

BASE = "http://schemas.datacontract.org/2004/07/TechQuest.Framework.ServiceFramework.Contract"
OWN = "urn:techquest.interswitchng.com"  # spyne's lxml takes no relative namespace
TEXTS = """AccountNumber Address1 Address2 CardPan City Country CountryCode Email ExpiryDate Gender LastName Othernames
           PrimaryMobileCountryCode PrimaryMobileNumber SecondaryMobileNumber State Title"""
NUMBERS = "BankId FailureReason PostCode RegistrationChannel"
FLAGS = "IsApprovedAndEnabled IsFailure IsVerveEAccount"


class BaseRequest(ComplexModel):
    __namespace__ = BASE
    HeaderTerminalId = Unicode
    TerminalId = Unicode


CardHolder = type(
    "CardHolder",
    (BaseRequest,),
    {"__namespace__": OWN}
    | dict.fromkeys(TEXTS.split(), Unicode)
    | dict.fromkeys(NUMBERS.split(), Integer)
    | dict.fromkeys(FLAGS.split(), Boolean),
)


class CardHolderResponse(ComplexModel):
    __namespace__ = BASE
    ResponseCode = Unicode
    ResponseDescription = Unicode


class Echo(ServiceBase):
    @rpc(CardHolder, _returns=CardHolderResponse, _body_style="wrapped")
    def AddCardHolder(ctx: object, request: ComplexModel) -> ComplexModel:  # noqa: N802, N805  # spyne's own way
        assert request.CardPan
        return CardHolderResponse(ResponseCode="90000", ResponseDescription=None)


class Server(BaseApplication):
    def load_config(self) -> None:
        for name, value in {"bind": f"127.0.0.1:{sys.argv[1]}", "workers": 1, "threads": 8, "keepalive": 30}.items():
            self.cfg.set(name, value)

    def load(self) -> WsgiApplication:
        soap = Application([Echo], tns="http://services.interswitchng.com/", in_protocol=Soap11(), out_protocol=Soap11())
        return WsgiApplication(soap)


if __name__ == "__main__":
    Server().run()
