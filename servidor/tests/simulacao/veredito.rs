//! O que se diz de um invariante: vale, ou a falha, com o nome dele e o que se viu.

/// Um invariante que não valeu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Falha {
    pub invariante: &'static str,
    pub detalhe: String,
}

pub type Veredito = Result<(), Box<Falha>>;

pub fn falha(invariante: &'static str, detalhe: impl Into<String>) -> Veredito {
    Err(Box::new(Falha { invariante, detalhe: detalhe.into() }))
}

/// `vale`, ou a falha deste invariante.
pub fn exigir(vale: bool, invariante: &'static str, detalhe: impl FnOnce() -> String) -> Veredito {
    if vale { Ok(()) } else { falha(invariante, detalhe()) }
}
