//! A multidão: usuários simulados, cada um em uma thread, contra um servidor de verdade.
//!
//! ```text
//!   simulacao                  monta a multidão e recolhe as histórias
//!      ├──► limites            quantas threads cabem no que o sistema dá
//!      ├──► pool               N threads da std, fixas
//!      ├──► sondagem ─► sessao ─► usuario ─► roteiro    descobre o fim de linha; leva um usuário por um socket; o
//!      │                   │                            que ele faz e quando é puro
//!      │                   └──► painel    as contas; e o andamento e os AVISOs, ao vivo
//!      ├──► visita             depois da última sessão, alguém conecta e só escuta
//!      ├──► fila ─► agenda    o laço aberto: a hora de cada chegada, e que usuário a leva
//!      └──► painel ─► evento   o que acontece a um usuário e se conta na hora
//! ```

pub mod agenda;
pub mod evento;
pub mod fila;
pub mod limites;
pub mod painel;
pub mod pool;
pub mod roteiro;
pub mod sessao;
pub mod simulacao;
pub mod sondagem;
pub mod usuario;
pub mod visita;
