//! A visita: depois que todos terminaram, alguém conecta e só escuta.
//!
//! O AVISO é de quem estava conectado no esgotamento. Se chega também a quem conectou bem depois, só se vê
//! conectando bem depois, e em uma simulação curta ninguém o faz. A visita não pede nada ao servidor.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::conversa::escuta::{Estilo, Ouvida, Papel};
use crate::conversa::ligacao::{Chegada, Ligacao, PRAZO_DA_CONEXAO};
use crate::conversa::parada::Parada;
use crate::historia::vivido::Conexao;

/// Quanto a visita escuta: quem avisa quem chega avisa logo.
const ESCUTA: Duration = Duration::from_millis(300);

/// Visita o servidor em `quando`, a contar de `inicio`, e conta o que ouviu; `None` se não conseguiu entrar,
/// ou se se pediu a parada.
pub fn visitar(
    inicio: Instant,
    quando: Duration,
    enderecos: &[SocketAddr],
    parada: &Parada,
) -> Option<Conexao> {
    parada.dormir(quando.saturating_sub(inicio.elapsed()));
    let pediu = inicio.elapsed();
    if parada.pedida() || pediu < quando {
        return None;
    }
    let abrir = |endereco: &SocketAddr| Ligacao::abrir(parada, *endereco, PRAZO_DA_CONEXAO).ok();
    let mut ligacao = enderecos.iter().find_map(abrir)?;
    let conectou = inicio.elapsed();
    let mut conexao = Conexao { pediu, conectou, ..Conexao::default() };
    let estilo = Estilo::default();
    let mut anotar = |ouvidas: Vec<Ouvida>| {
        for ouvida in ouvidas.into_iter().filter(|ouvida| ouvida.papel == Papel::Aviso) {
            conexao.anotados_como(&ouvida.texto).push(ouvida.quando);
        }
    };
    let limite = conectou + ESCUTA;
    let mut aberta = true;
    // Cada leitura termina até o limite: um servidor que fala sem parar não prende ninguém.
    while aberta && inicio.elapsed() < limite {
        let ouvidas = match ligacao.ouvir(inicio, limite, &estilo) {
            Chegada::Bytes(ouvidas) | Chegada::Silencio(ouvidas) => ouvidas,
            Chegada::Nada => Vec::new(),
            Chegada::Fim(ouvidas, _) => {
                aberta = false;
                ouvidas
            }
        };
        anotar(ouvidas);
    }
    anotar(ligacao.terminar(&estilo));
    conexao.fechou = Some(inicio.elapsed());
    (!parada.pedida()).then_some(conexao)
}
