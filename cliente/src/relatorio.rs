//! Os relatórios: os fatos de uma simulação, escritos. Não julga nem mede.

pub mod contradicao;
pub mod graficos;
pub mod relato;
