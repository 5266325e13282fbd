"""The connector to the Hemato.AI Diagnostic API: a client that never loses a study.

For Research Use Only. Not for use in diagnostic procedures.

Built in layers, each knowing only those below::

    client                          Client and AsyncClient: the same operations, blocking and awaited
    running                         wait, run
    creating | tasking | uploading  calls that change something, journalled
    calls                           calls that change nothing
    calling                         one call with its tries, credentials and deadline
    runners                         does what an operation asks: send, pause, work, side by side
    auth | journal | files ...      who we are, what was done, what is sent
    requests | answers              pure functions: what to ask, what an answer means
    http, sockets                   the only modules that know an HTTP library

The contract is the vendor's document; api/DECISIONS.md fixes one reading of each of its gaps.
"""

from hemato_lab.api.auth import KeyAuth, PasswordAuth, TokenAuth
from hemato_lab.api.callbacks import CallbackSigner
from hemato_lab.api.client import AsyncClient, Client
from hemato_lab.api.clock import Clock
from hemato_lab.api.files import SkippedFileWarning, UploadFile, files_of
from hemato_lab.api.journal import Journal, JournalledStudy, PossibleOrphan
from hemato_lab.api.keys import KeyPair, make_key_pair
from hemato_lab.api.listing import FileList
from hemato_lab.api.messages import Timeouts
from hemato_lab.api.models import (
    FileReceived,
    Heartbeat,
    Hello,
    StudyCreated,
    StudyStatus,
    TaskReport,
    TasksAccepted,
)
from hemato_lab.api.policy import Policy
from hemato_lab.api.privacy import PrivacyWarning
from hemato_lab.api.reading import ServiceWarning
from hemato_lab.api.receiver import CallbackHandler, CallbackReceiver, asgi_application
from hemato_lab.api.regions import REGIONS
from hemato_lab.api.running import RemoteFile, RemoteStudy

__all__ = [
    "REGIONS",
    "AsyncClient",
    "CallbackHandler",
    "CallbackReceiver",
    "CallbackSigner",
    "Client",
    "Clock",
    "FileList",
    "FileReceived",
    "Heartbeat",
    "Hello",
    "Journal",
    "JournalledStudy",
    "KeyAuth",
    "KeyPair",
    "PasswordAuth",
    "Policy",
    "PossibleOrphan",
    "PrivacyWarning",
    "RemoteFile",
    "RemoteStudy",
    "ServiceWarning",
    "SkippedFileWarning",
    "StudyCreated",
    "StudyStatus",
    "TaskReport",
    "TasksAccepted",
    "Timeouts",
    "TokenAuth",
    "UploadFile",
    "asgi_application",
    "files_of",
    "make_key_pair",
]
