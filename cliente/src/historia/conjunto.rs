//! Uma simulação vivida: as histórias de todos, e as contas delas. Aqui só há dados.

use std::io;
use std::time::Duration;

use super::chegadas::Chegadas;
use super::medidas::Medidas;
use super::vivido::Historia;
use crate::conversa::fim_de_linha::FimDeLinha;

/// Uma simulação vivida.
#[derive(Debug)]
pub struct Simulacao {
    /// Uma história por usuário que chegou a existir, pela ordem dos números. Das longas, só o que a
    /// auditoria precisa: ver [`super::guarda`].
    pub historias: Vec<Historia>,
    /// As contas de todas as operações, inclusive das que não se guardaram.
    pub medidas: Medidas,
    /// Operações de que a auditoria precisaria e que não couberam.
    pub perdidas: u64,
    /// Como terminou a escrita do CSV, se foi pedido.
    pub csv: io::Result<()>,
    /// A semente usada, dada ou sorteada.
    pub semente: u64,
    /// Usuários pedidos.
    pub usuarios: usize,
    /// Os servidores, pela ordem em que se disseram.
    pub servidores: Vec<String>,
    /// Ciclos que os roteiros previam, ao todo.
    pub ciclos_previstos: u64,
    /// O que houve com as chegadas, se o laço era aberto.
    pub chegadas: Option<Chegadas>,
    /// O que vai depois de cada comando: o que se pediu, ou o que se viu que o servidor entende.
    pub fim_de_linha: FimDeLinha,
    /// Do começo ao fim.
    pub duracao: Duration,
    /// Quanto disso foi só esperar pelo AVISO, quando já não havia mais o que fazer.
    pub espera: Duration,
    /// Foi interrompida antes do fim?
    pub interrompida: bool,
}

impl Simulacao {
    /// Alguém chegou a conectar?
    pub fn houve_conexao(&self) -> bool {
        self.historias.iter().any(|historia| !historia.conexoes.is_empty())
    }

    /// Alguém teve uma resposta do protocolo? Sem nenhuma, não há o que julgar.
    pub fn houve_resposta(&self) -> bool {
        let Medidas { consultas, vendas, recusas, consultar_sem, comprar_sem, .. } = &self.medidas;
        let fora_de_alcance = consultar_sem.fora_de_alcance + comprar_sem.fora_de_alcance;
        consultas + vendas + recusas + fora_de_alcance > 0
    }
}
