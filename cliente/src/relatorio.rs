//! Os relatórios: os fatos de uma simulação, escritos em JSON, para programas, e em uma página HTML, para pessoas.
//! Não julga nem mede.
//!
//! ```text
//!   pagina ─► relato ─► graficos     a página, e o que se desenha nela
//!     └──────► contradicao ───┘      as provas de uma contradição, no tempo
//!               └─► espaco_tempo   e o diagrama, com as setas e os intervalos
//!   json ──► relato                  o documento, com as chaves na ordem
//! ```

pub mod contradicao;
mod espaco_tempo;
pub mod graficos;
pub mod json;
pub mod pagina;
pub mod relato;
