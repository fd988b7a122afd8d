//! A turma: uma pasta de entregas, uma nota por pessoa.

pub mod entregas;
pub mod fontes;
pub mod pacote;
pub mod receita;
