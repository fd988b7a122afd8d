//! A visita: depois que todos terminaram, alguém conecta e só escuta.
//!
//! O AVISO é de quem estava conectado no esgotamento. Se chega também a quem conectou bem depois, só se vê
//! conectando bem depois, e em uma simulação curta ninguém o faz. A visita não pede nada ao servidor.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::{PRAZO_DA_CONEXAO, conectar, ler};
use crate::conversa::escuta::{Escuta, Estilo, Ouvida, Papel};
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
    let socket = enderecos.iter().find_map(|e| conectar(parada, *e, PRAZO_DA_CONEXAO).ok())?;
    let conectou = inicio.elapsed();
    let mut conexao = Conexao { pediu, conectou, ..Conexao::default() };
    let (mut escuta, estilo) = (Escuta::default(), Estilo::default());
    let mut anotar = |ouvidas: Vec<Ouvida>| {
        for ouvida in ouvidas.into_iter().filter(|ouvida| ouvida.papel == Papel::Aviso) {
            conexao.anotados_como(&ouvida.texto).push(ouvida.quando);
        }
    };
    let mut bytes = [0; 1024];
    let limite = conectou + ESCUTA;
    // Cada leitura termina até o limite: um servidor que fala sem parar não prende ninguém.
    while let Some(falta) = limite.checked_sub(inicio.elapsed()).filter(|falta| !falta.is_zero()) {
        match ler(&socket, falta, &mut bytes) {
            Ok(0) => break,
            Ok(n) => {
                anotar(escuta.receber(inicio.elapsed(), &bytes[..n], &estilo));
            }
            Err(erro) if erro.kind() == ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    anotar(escuta.fim(&estilo));
    conexao.fechou = Some(inicio.elapsed());
    (!parada.pedida()).then_some(conexao)
}
