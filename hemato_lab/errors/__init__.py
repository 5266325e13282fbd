"""The one exception tree of the package.

::

    HematoError
    ├── ConfigError                 a setting or parameter cannot be used
    │   ├── RegionError             no region was named, or none that the service has
    │   ├── CredentialError         a key, token or password cannot be used as it is
    │   └── UnlikeUnitsError        two quantities whose units no factor joins
    ├── MissingDependencyError      an optional package is needed; names the extra that brings it
    ├── InputError                  something is wrong with what was given to read
    │   ├── UnreadableInputError    missing, no permission, empty, or a damaged stream
    │   ├── UnsupportedFormatError  not a format, pixel type or compression that is read
    │   ├── FormatMismatchError     the bytes are not what the file name says
    │   ├── ImageTooLargeError      more pixels than the limit (decompression bomb)
    │   ├── ArchiveError            a hostile or damaged ZIP; ``reason`` says which rule it broke
    │   ├── NoImagesError           a folder, list or archive without a readable image
    │   ├── IntegrityError          the bytes changed since their hash was taken
    │   └── ScaleNotCredibleError   the size of a red cell cannot be told, or contradicts itself
    ├── ModelError                  the file of a network is not the one that ships, or breaks a rule of such files
    ├── DatasetError                an annotated data set does not follow its format
    ├── ReportFormatError           a JSON report that does not follow the schema
    ├── DecisionLogError            a log of a reader's decisions cannot be opened, read or written
    ├── BatchError                  work that can be resumed cannot go on
    │   ├── LockedError             another process does the same work now
    │   ├── JournalError            the journal cannot be opened, read or written
    │   ├── InputChangedError       the files of a smear are not those of the earlier run
    │   ├── WorkerDiedError         the process that worked on a smear died again and again
    │   └── StorageFullError        no room for the results
    ├── TransportError              a request did not reach the service, or its answer did not come back
    │   ├── ConnectionFailedError   no connection, or it broke
    │   ├── TimedOutError           one phase (connect, write, read) took too long
    │   ├── DeadlineError           the whole call took too long
    │   ├── TLSError                the certificate is not trusted, or no TLS
    │   └── OutcomeUnknownError     it may have been done, and must not be repeated blindly
    ├── APIError                    the service answered with an error; ``status`` says which
    │   ├── BadRequestError         400
    │   ├── UnauthorizedError       401
    │   │   ├── ExpiredTokenError   401, the token is too old
    │   │   └── ClockSkewError      401, the clocks differ
    │   ├── ForbiddenError          403
    │   ├── NotFoundError           404
    │   ├── MethodNotAllowedError   405
    │   ├── NotAcceptableError      406
    │   ├── TeapotError             418
    │   ├── ThrottledError          429
    │   ├── ServerError             500
    │   └── UnavailableError        503
    ├── ResponseError               an answer that cannot be used
    │   ├── NotJSONError            a page of a proxy, or JSON cut short
    │   ├── TruncatedResponseError  the connection ended before the answer did
    │   ├── SchemaMismatchError     not the documented shape, or about something else
    │   └── ResponseTooLargeError   longer than the limit, packed or unpacked
    ├── StudyError                  a study cannot go on as asked
    │   ├── StudyFailedError        the service says that it failed
    │   ├── ReportNotReadyError     the report does not exist yet
    │   ├── StudyClosedError        no more files can be added
    │   └── OtherFilesError         a report or acknowledgement of other files
    ├── CallbackError               a call from outside that is not the service's
    │   ├── ForgedCallbackError     the signature is not ours
    │   ├── StaleCallbackError      no longer, or not yet, valid
    │   └── ReplayedCallbackError   used up when its study ended
    └── SecurityError               something unsafe was refused
        ├── InsecureAddressError    plain http beyond this machine, or no address at all
        ├── BlockedAddressError     it leads to a machine that must not be reached
        └── RedirectRefusedError    the service sent the client elsewhere

Every error says what it is about (``subject``: a file, study or cell), what went wrong, and what to do next
(``hint``); ``code``, ``retryable`` and ``outcome`` say the same to programs. ``str(error)`` is one line. All of them
survive pickling, so they cross process boundaries whole.
"""

from hemato_lab.errors.local import (
    ArchiveError,
    BatchError,
    ConfigError,
    CredentialError,
    DatasetError,
    DecisionLogError,
    FormatMismatchError,
    ImageTooLargeError,
    InputChangedError,
    InputError,
    IntegrityError,
    JournalError,
    LockedError,
    MissingDependencyError,
    ModelError,
    NoImagesError,
    RegionError,
    ReportFormatError,
    ScaleNotCredibleError,
    StorageFullError,
    UnlikeUnitsError,
    UnreadableInputError,
    UnsupportedFormatError,
    WorkerDiedError,
)
from hemato_lab.errors.remote import (
    APIError,
    BadRequestError,
    BlockedAddressError,
    CallbackError,
    ClockSkewError,
    ConnectionFailedError,
    DeadlineError,
    ExpiredTokenError,
    ForbiddenError,
    ForgedCallbackError,
    InsecureAddressError,
    MethodNotAllowedError,
    NotAcceptableError,
    NotFoundError,
    NotJSONError,
    OtherFilesError,
    OutcomeUnknownError,
    RedirectRefusedError,
    ReplayedCallbackError,
    ReportNotReadyError,
    ResponseError,
    ResponseTooLargeError,
    SchemaMismatchError,
    SecurityError,
    ServerError,
    StaleCallbackError,
    StudyClosedError,
    StudyError,
    StudyFailedError,
    TeapotError,
    ThrottledError,
    TimedOutError,
    TLSError,
    TransportError,
    TruncatedResponseError,
    UnauthorizedError,
    UnavailableError,
)
from hemato_lab.errors.root import HematoError

__all__ = [
    "APIError",
    "ArchiveError",
    "BadRequestError",
    "BatchError",
    "BlockedAddressError",
    "CallbackError",
    "ClockSkewError",
    "ConfigError",
    "ConnectionFailedError",
    "CredentialError",
    "DatasetError",
    "DeadlineError",
    "DecisionLogError",
    "ExpiredTokenError",
    "ForbiddenError",
    "ForgedCallbackError",
    "FormatMismatchError",
    "HematoError",
    "ImageTooLargeError",
    "InputChangedError",
    "InputError",
    "InsecureAddressError",
    "IntegrityError",
    "JournalError",
    "LockedError",
    "MethodNotAllowedError",
    "MissingDependencyError",
    "ModelError",
    "NoImagesError",
    "NotAcceptableError",
    "NotFoundError",
    "NotJSONError",
    "OtherFilesError",
    "OutcomeUnknownError",
    "RedirectRefusedError",
    "RegionError",
    "ReplayedCallbackError",
    "ReportFormatError",
    "ReportNotReadyError",
    "ResponseError",
    "ResponseTooLargeError",
    "ScaleNotCredibleError",
    "SchemaMismatchError",
    "SecurityError",
    "ServerError",
    "StaleCallbackError",
    "StorageFullError",
    "StudyClosedError",
    "StudyError",
    "StudyFailedError",
    "TLSError",
    "TeapotError",
    "ThrottledError",
    "TimedOutError",
    "TransportError",
    "TruncatedResponseError",
    "UnauthorizedError",
    "UnavailableError",
    "UnlikeUnitsError",
    "UnreadableInputError",
    "UnsupportedFormatError",
    "WorkerDiedError",
]
