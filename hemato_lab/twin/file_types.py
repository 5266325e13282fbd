from typing import Literal
from hemato_lab.twin.refusals import Refusal
FileType = Literal["jpeg","png","zip"]
TYPES = {"image/jpeg": "jpeg", "image/jpg": "jpeg", "image/png": "png", "application/zip": "zip"}
ENDINGS = {"jpg": "jpeg", "jpeg": "jpeg", "png": "png", "zip": "zip"}
def stated_type(content_type, query):
    header=(content_type or "").partition(";")[0].strip().lower()
    if header.startswith("multipart/"): raise Refusal("multipart_not_supported")
    stated = query.get("content_type","").lower() if header in {"","application/octet-stream","application/x-www-form-urlencoded"} else header
    kind = TYPES.get(stated) if stated else ENDINGS.get(query.get("file_name","").lower().rpartition(".")[2])
    if kind is None: raise Refusal("unsupported_file_type" if stated else "unknown_file_type")
    return kind
def check_magic(kind, head):
    if not head.startswith({"jpeg": b"\xff\xd8\xff", "png": b"\x89PNG\r\n\x1a\n", "zip": b"PK"}[kind]): raise Refusal("file_type_mismatch")
