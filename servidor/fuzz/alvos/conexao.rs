//! O turno de produção sob o oráculo da simulação, com um roteiro tirado de bytes quaisquer.
//!
//! A simulação sorteia o que já sabe que um cliente pode dizer; aqui os bytes são crus, e a cobertura
//! guia quem os muda. O resto é o mesmo: o balcão, os sockets de mentira e os invariantes estão em
//! `servidor/tests/simulacao`.
//!
//! A entrada se delimita sozinha, e toda entrada é um roteiro. Primeiro a casa, em quatro bytes:
//! estoque, lugares, ocioso, e se no fim o prazo de fechar vence. Depois os eventos: um byte diz a
//! espécie, outro diz de quem se trata, e o que mais houver é de cada espécie ([`Leitor::evento`]).
//! Quem entra recebe o próximo número; os outros eventos caem sempre em alguém que já entrou.

use crate::evento::{Evento, Nome, Roteiro, Sinais};
use crate::livro_de_mentira::Sorte;
use crate::mundo::{self, Rastro};

/// Mais do que isto não entra: o nome de um cliente é um byte.
const CLIENTES: usize = 200;

/// Quantos bytes os clientes mandam ao todo; depois, calam-se. Bastam para encher um lote, e um
/// roteiro continua a levar milissegundos.
const FALA_MAXIMA: usize = 128 * 1024;

/// Qualquer entrada: o balcão faz o que o oráculo diz. Se não faz, o pânico conta o roteiro todo.
pub fn experimentar(bytes: &[u8]) {
    let roteiro = decifrar(bytes);
    let executar = |rastro: &mut Rastro| mundo::executar(&roteiro, &roteiro.eventos, rastro);
    if let Err(falha) = executar(&mut Rastro::novo(false)) {
        let mut rastro = Rastro::novo(true);
        let _ = executar(&mut rastro);
        let linhas = rastro.linhas.unwrap_or_default().join("\n  ");
        panic!("o invariante «{}» não valeu.\n\n  {linhas}\n\n{}", falha.invariante, falha.detalhe);
    }
}

/// O roteiro que estes bytes contam.
fn decifrar(bytes: &[u8]) -> Roteiro {
    let mut leitor = Leitor { bytes, entraram: 0, fala: FALA_MAXIMA };
    let estoque = leitor.quanto().map_or(u64::MAX, u64::from);
    let conexoes = leitor.um_de(&[1000, 0, 1, 2, 3, 5, 20]);
    let ocioso = leitor.um_de(&[None, Some(8), Some(1000), Some(3000), Some(40_000)]);
    // Um byte para as duas: o que o corpus já diz continua no lugar.
    let sobra = leitor.byte();
    let abandona = sobra % 2 == 1;
    let por_endereco = [None, Some(1), Some(2), Some(3)][usize::from(sobra / 2 % 4)];
    let mut eventos = Vec::new();
    while !leitor.bytes.is_empty() {
        leitor.evento(&mut eventos);
    }
    Roteiro { estoque, conexoes, por_endereco, ocioso, abandona, eventos }
}

struct Leitor<'a> {
    bytes: &'a [u8],
    entraram: usize,
    /// Quantos bytes os clientes ainda podem mandar.
    fala: usize,
}

impl Leitor<'_> {
    /// O próximo evento, e a forma de cada um.
    fn evento(&mut self, eventos: &mut Vec<Evento>) {
        let especie = self.byte() % 21;
        let quem = self.byte();
        let nome = quem % self.entraram.max(1) as Nome;
        let evento = match especie {
            0 => Evento::Turno,
            1 => return self.entram(quem, eventos),
            2 => Evento::Manda(nome, self.fala(1)),
            3 => Evento::EntregaTodos(nome),
            4 => Evento::Entrega(nome, 1 + self.byte() % 3),
            5 => Evento::Fecha(nome),
            6 => Evento::Quebra { nome, perde: self.byte() % 2 == 1 },
            7 => Evento::QuebraEscrita(nome),
            8 => Evento::Janela(nome, self.quanto().map_or(usize::MAX, usize::from)),
            9 => Evento::Gole(nome, self.quanto().map_or(usize::MAX, |gole| gole.max(1).into())),
            10 => Evento::InterrompeLeitura(nome, 1 + self.byte() % 3),
            11 => Evento::InterrompeEscrita(nome, 1 + self.byte() % 3),
            12 => Evento::Falso(quem.into(), sinais(self.byte())),
            13 => Evento::Urgente(nome),
            14 => Evento::Passa(u64::from(u16::from_le_bytes([quem, self.byte()]))),
            15 => Evento::Encerra,
            // Uma leitura cheia, ou um lote, sem que cada letra esteja na entrada.
            16 => {
                let vezes = 8 * (1 + usize::from(self.byte()));
                Evento::Manda(nome, self.fala(vezes))
            }
            18 => Evento::Livro(self.um_de(&[Sorte::Perde, Sorte::PerdeSoAResposta])),
            19 => Evento::FaltaLuz,
            20 => Evento::DiscoDemora(u64::from(u16::from_le_bytes([quem, self.byte()]))),
            // O que quase sempre vem a seguir: o evento chega e o laço dá uma volta.
            _ => {
                eventos.push(Evento::EntregaTodos(nome));
                Evento::Turno
            }
        };
        eventos.push(evento);
    }

    /// Os bits altos dizem quantos mais entram de uma vez: a casa cheia fica ao alcance.
    fn entram(&mut self, quem: u8, eventos: &mut Vec<Evento>) {
        for _ in 0..1 + quem / 16 {
            if self.entraram < CLIENTES {
                eventos.push(Evento::Entra(self.entraram as Nome));
                self.entraram += 1;
            }
        }
    }

    /// O que um cliente manda: o tamanho e os bytes, crus.
    fn fala(&mut self, vezes: usize) -> Vec<u8> {
        let quantos = usize::from(self.byte()).min(self.bytes.len());
        let (dita, resto) = self.bytes.split_at(quantos);
        self.bytes = resto;
        let cabem = self.fala.checked_div(quantos).unwrap_or(0).min(vezes);
        self.fala -= cabem * quantos;
        dita.repeat(cabem)
    }

    /// O próximo byte; depois do fim, zeros.
    fn byte(&mut self) -> u8 {
        self.bytes.split_off_first().copied().unwrap_or(0)
    }

    /// Um número pequeno; o maior byte quer dizer sem limite.
    fn quanto(&mut self) -> Option<u8> {
        Some(self.byte()).filter(|byte| *byte != u8::MAX)
    }

    fn um_de<T: Copy>(&mut self, opcoes: &[T]) -> T {
        opcoes[usize::from(self.byte()) % opcoes.len()]
    }
}

fn sinais(byte: u8) -> Sinais {
    let bits = 1 + byte % 7;
    Sinais { legivel: bits & 1 != 0, gravavel: bits & 2 != 0, secar: bits & 4 != 0 }
}
