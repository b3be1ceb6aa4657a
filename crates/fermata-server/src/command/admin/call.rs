//! What a command of `fermata admin` is: a row that says what is asked, with which fields, and what of the answer is
//! shown. Commands, help and requests are all made from such rows.

/// One command.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    /// What is typed: a noun, or a noun and a verb.
    pub(super) words: &'static [&'static str],
    /// Its id in the OpenAPI document.
    pub(super) operation: &'static str,
    pub(super) method: &'static str,
    /// Behind `/api/v1`, with fields in braces.
    pub(super) path: &'static str,
    pub(super) about: &'static str,
    pub(super) fields: &'static [Field],
    /// A body that is always the same, as JSON; empty: made of the fields.
    pub(super) fixed: &'static str,
    pub(super) shows: Shows,
    /// Does the list come in parts?
    pub(super) paged: bool,
}

/// What people see of an answer.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shows {
    /// All of an object.
    Record,
    /// A table of this list, with these columns.
    Table(&'static str, &'static [&'static str]),
    /// The text as it came, asked for as this media type.
    Text(&'static str),
}

/// What is typed behind a command.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    /// Name in the API.
    pub(super) name: &'static str,
    /// Name on the command line.
    pub(super) word: &'static str,
    pub(super) place: Place,
    pub(super) kind: Kind,
    pub(super) required: bool,
    /// Typed without its name?
    pub(super) positional: bool,
    /// Taken if nothing is typed.
    pub(super) default: Option<&'static str>,
    pub(super) help: &'static str,
}

/// Where a field goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Path,
    Query,
    Body,
    /// It is the whole body, of this media type.
    Whole(&'static str),
    /// It asks for another media type, which is printed as it comes.
    Accept(&'static str),
}

/// What a field takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    /// `true` or `false`.
    Bool,
    /// Nothing: naming it is enough.
    Switch,
    OneOf(&'static [&'static str]),
    /// JSON, or `@` and a file with it.
    Json,
    /// A file that is sent.
    File,
    /// A file with one line of text, such as a password, which nobody sees in the list of processes.
    TextFile,
}

impl Call {
    const fn new(
        method: &'static str,
        words: &'static [&'static str],
        operation: &'static str,
        path: &'static str,
        about: &'static str,
    ) -> Self {
        let (fields, shows) = (&[], Shows::Record);
        Self { words, operation, method, path, about, fields, fixed: "", shows, paged: false }
    }

    pub(super) const fn get(
        words: &'static [&'static str],
        operation: &'static str,
        path: &'static str,
        about: &'static str,
    ) -> Self {
        Self::new("GET", words, operation, path, about)
    }

    pub(super) const fn post(
        words: &'static [&'static str],
        operation: &'static str,
        path: &'static str,
        about: &'static str,
    ) -> Self {
        Self::new("POST", words, operation, path, about)
    }

    pub(super) const fn patch(
        words: &'static [&'static str],
        operation: &'static str,
        path: &'static str,
        about: &'static str,
    ) -> Self {
        Self::new("PATCH", words, operation, path, about)
    }

    pub(super) const fn put(
        words: &'static [&'static str],
        operation: &'static str,
        path: &'static str,
        about: &'static str,
    ) -> Self {
        Self::new("PUT", words, operation, path, about)
    }

    pub(super) const fn delete(
        words: &'static [&'static str],
        operation: &'static str,
        path: &'static str,
        about: &'static str,
    ) -> Self {
        Self::new("DELETE", words, operation, path, about)
    }

    pub(super) const fn with(self, fields: &'static [Field]) -> Self {
        Self { fields, ..self }
    }

    pub(super) const fn fixed(self, fixed: &'static str) -> Self {
        Self { fixed, ..self }
    }

    /// A table of `items`.
    pub(super) const fn items(self, columns: &'static [&'static str]) -> Self {
        Self { shows: Shows::Table("items", columns), ..self }
    }

    /// A table of another list.
    pub(super) const fn table(self, list: &'static str, columns: &'static [&'static str]) -> Self {
        Self { shows: Shows::Table(list, columns), ..self }
    }

    pub(super) const fn text(self, media_type: &'static str) -> Self {
        Self { shows: Shows::Text(media_type), ..self }
    }

    pub(super) const fn paged(self) -> Self {
        Self { paged: true, ..self }
    }
}

impl Field {
    const fn new(name: &'static str, place: Place, help: &'static str) -> Self {
        Self {
            name,
            word: name,
            place,
            kind: Kind::Text,
            required: false,
            positional: false,
            default: None,
            help,
        }
    }

    /// A part of the path.
    pub(super) const fn path(name: &'static str, help: &'static str) -> Self {
        Self { required: true, positional: true, ..Self::new(name, Place::Path, help) }
    }

    /// A part of the body that has to be there, typed without its name.
    pub(super) const fn arg(name: &'static str, help: &'static str) -> Self {
        Self { required: true, positional: true, ..Self::new(name, Place::Body, help) }
    }

    /// A part of the body that has to be there.
    pub(super) const fn need(name: &'static str, help: &'static str) -> Self {
        Self { required: true, ..Self::new(name, Place::Body, help) }
    }

    /// A part of the body that may be there.
    pub(super) const fn opt(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Place::Body, help)
    }

    /// A part of the query that may be there.
    pub(super) const fn query(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Place::Query, help)
    }

    /// A file that is the whole body.
    pub(super) const fn file(
        name: &'static str,
        media_type: &'static str,
        help: &'static str,
    ) -> Self {
        let kind = Kind::File;
        Self {
            kind,
            required: true,
            positional: true,
            ..Self::new(name, Place::Whole(media_type), help)
        }
    }

    /// Another media type.
    pub(super) const fn accept(
        name: &'static str,
        media_type: &'static str,
        help: &'static str,
    ) -> Self {
        Self { kind: Kind::Switch, ..Self::new(name, Place::Accept(media_type), help) }
    }

    pub(super) const fn kind(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }

    pub(super) const fn number(self) -> Self {
        self.kind(Kind::Number)
    }

    pub(super) const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    pub(super) const fn positional(self) -> Self {
        Self { positional: true, ..self }
    }

    /// Another name on the command line.
    pub(super) const fn word(self, word: &'static str) -> Self {
        Self { word, ..self }
    }

    /// What is taken if nothing is typed.
    pub(super) const fn default(self, default: &'static str) -> Self {
        Self { required: false, default: Some(default), ..self }
    }
}
