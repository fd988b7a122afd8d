//! O que se viveu, e as contas disso: a matéria da auditoria e dos relatórios. Não julga.
//!
//! ```text
//!   guarda ───┐                o que fica das histórias longas, e o CSV
//!   resumo ─► conjunto ─► medidas ─► vivido
//!                 └──► chegadas              o que houve com as de um laço aberto
//! ```

pub mod chegadas;
pub mod conjunto;
pub mod guarda;
pub mod medidas;
pub mod resumo;
pub mod vivido;
