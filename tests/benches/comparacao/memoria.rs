//! A memória de uma conexão parada: quanto cresce a memória residente do par quando N conexões se abrem,
//! dividido por N. É só a do processo; a do núcleo (os buffers do TCP) é a mesma para todos, e não se
//! mede aqui. Há duas contas: de quem nunca falou e de quem já teve uma resposta.

use std::thread;

use crate::gerador::conectar;
use crate::opcoes::Tempos;
use crate::pares::Par;

/// Bytes por conexão parada.
#[derive(Debug, Clone, Copy)]
pub struct Parada {
    /// De quem ainda não pediu nada.
    pub calada: f64,
    /// De quem pediu uma vez e foi respondido.
    pub atendida: f64,
}

/// A memória por conexão de `par`.
///
/// # Errors
///
/// Por que não se pôde medir.
pub fn medir(par: Par, tempos: &Tempos) -> Result<Parada, String> {
    let calada = por_conexao(par, false, tempos)?;
    let atendida = por_conexao(par, true, tempos)?;
    Ok(Parada { calada, atendida })
}

fn por_conexao(par: Par, falar: bool, tempos: &Tempos) -> Result<f64, String> {
    let quantas = tempos.paradas;
    let aberto = par.abrir()?;
    let fala = par.fala();
    // Um par só reserva certas coisas quando alguém chega: a primeira conexão não entra na conta.
    let abrir = |indice, falar| {
        let aberta = conectar(aberto.endereco, indice, &fala, falar);
        aberta.map_err(|erro| format!("não aceitou {quantas} conexões: {erro}"))
    };
    let _primeira = abrir(0, true)?;
    let antes = aberto.memoria();
    let mut paradas = Vec::with_capacity(quantas);
    for indice in 1..=quantas {
        // Uma a cada tantas fala sempre: aceitam-se em ordem, e a resposta diz que as de antes entraram.
        let fala = falar || indice % 64 == 0 || indice == quantas;
        paradas.push(abrir(indice, fala)?);
    }
    // Alguns só devolvem a memória de quem se calou depois de um tempo calado.
    thread::sleep(tempos.repouso);
    let depois = aberto.memoria();
    Ok(depois.saturating_sub(antes) as f64 / quantas as f64)
}
