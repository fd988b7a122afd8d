//! A multidão da atividade (§5): usuários simulados que consultam, decidem, compram e escutam, e no
//! fim testemunham se o servidor vendeu direito.
//!
//! ```text
//!   main ─► opcoes
//!     │
//!     └──► simulacao            monta a multidão e recolhe as histórias
//!             ├──► piscina      N threads da std, fixas
//!             │      └──► sessao      leva um usuário por um socket de verdade
//!             │             ├──► usuario ─► roteiro   o que ele faz e quando; puro
//!             │             └──► ouvido               bytes em mensagens, coladas ou sem fim
//!             ├──► parada       Ctrl-C acorda todos
//!             └──► painel       o andamento e os AVISOs, ao vivo
//!     │
//!     └──► historia ─► auditoria, resumo    funções puras sobre o que se viveu
//! ```
//!
//! # O que nunca muda
//!
//! - [`usuario`] e [`roteiro`] não olham o relógio nem conhecem sockets: o tempo é um argumento, e
//!   vinte ciclos de dez segundos são testados em microssegundos.
//! - As threads não compartilham nada enquanto simulam: cada uma *devolve* as suas histórias. Só há
//!   o pedido de parada e um canal de notícias, que o painel consome.
//! - O que o servidor diz não é confiável: números negativos, textos estranhos e mensagens coladas
//!   são fatos a registrar, nunca motivo para parar.
//! - O cliente não sabe como o servidor é feito: só o protocolo os une.

pub mod auditoria;
pub mod historia;
pub mod opcoes;
pub mod ouvido;
pub mod painel;
pub mod parada;
pub mod piscina;
pub mod resumo;
pub mod roteiro;
pub mod sessao;
pub mod simulacao;
pub mod usuario;
