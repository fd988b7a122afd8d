//! O movimento do balcão: quantos pedidos de cada tipo, como acabou cada conexão, quantos AVISOs. Só conta.

use protocolo::Comando;

use crate::conexao::Fim;

/// De que tipo é um pedido: um [`Comando`], sem o que ele guarda.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tipo {
    /// `CONSULTAR`.
    Consultar,
    /// `COMPRAR`.
    Comprar,
    /// `AJUDA`.
    Ajuda,
    /// `SAIR`.
    Sair,
    /// `PEDIDO`, com um id.
    Pedido,
    /// `PEDIDO` sem um id que sirva.
    PedidoInvalido,
    /// HTTP.
    Http,
    /// TLS.
    Tls,
    /// Uma linha longa demais.
    LinhaLonga,
    /// Outra coisa.
    Desconhecido,
}

impl Tipo {
    /// Todos, na ordem.
    pub const TODOS: [Tipo; 10] = [
        Tipo::Consultar,
        Tipo::Comprar,
        Tipo::Ajuda,
        Tipo::Sair,
        Tipo::Pedido,
        Tipo::PedidoInvalido,
        Tipo::Http,
        Tipo::Tls,
        Tipo::LinhaLonga,
        Tipo::Desconhecido,
    ];

    fn de(comando: &Comando) -> Self {
        match comando {
            Comando::Consultar => Tipo::Consultar,
            Comando::Comprar => Tipo::Comprar,
            Comando::Ajuda => Tipo::Ajuda,
            Comando::Sair => Tipo::Sair,
            Comando::Pedido(_) => Tipo::Pedido,
            Comando::PedidoInvalido(_) => Tipo::PedidoInvalido,
            Comando::Http(_) => Tipo::Http,
            Comando::Tls => Tipo::Tls,
            Comando::LinhaLonga => Tipo::LinhaLonga,
            Comando::Desconhecido(_) => Tipo::Desconhecido,
        }
    }

    /// Como as métricas o chamam.
    pub fn nome(self) -> &'static str {
        match self {
            Tipo::Consultar => "CONSULTAR",
            Tipo::Comprar => "COMPRAR",
            Tipo::Ajuda => "AJUDA",
            Tipo::Sair => "SAIR",
            Tipo::Pedido => "PEDIDO",
            Tipo::PedidoInvalido => "PEDIDO invalido",
            Tipo::Http => "HTTP",
            Tipo::Tls => "TLS",
            Tipo::LinhaLonga => "linha longa",
            Tipo::Desconhecido => "desconhecido",
        }
    }
}

/// A conta do que passou pelo balcão, por tipo.
#[derive(Debug, Clone, Default)]
pub struct Movimento {
    pedidos: [u64; Tipo::TODOS.len()],
    fins: [u64; Fim::TODOS.len()],
    avisos: u64,
}

impl Movimento {
    #[inline]
    pub(super) fn pediram(&mut self, comando: &Comando, vezes: usize) {
        self.pedidos[Tipo::de(comando) as usize] += vezes as u64;
    }

    pub(super) fn terminou(&mut self, fim: Fim) {
        self.fins[fim as usize] += 1;
    }

    pub(super) fn avisou(&mut self, clientes: usize) {
        self.avisos += clientes as u64;
    }

    /// Pedidos atendidos, de todos os tipos.
    pub fn pedidos(&self) -> u64 {
        self.pedidos.iter().sum()
    }

    /// Pedidos atendidos deste tipo.
    pub fn pedidos_de(&self, tipo: Tipo) -> u64 {
        self.pedidos[tipo as usize]
    }

    /// Conexões atendidas que terminaram assim; as recusadas estão nas [contas](super::Contas).
    pub fn fins(&self, fim: Fim) -> u64 {
        self.fins[fim as usize]
    }

    /// Clientes na saída de quem se pôs um AVISO, contados a cada um.
    pub fn avisos(&self) -> u64 {
        self.avisos
    }
}

#[cfg(test)]
mod testes {
    use super::*;

    #[test]
    fn cada_tipo_e_cada_fim_estao_no_seu_lugar() {
        for (lugar, tipo) in Tipo::TODOS.into_iter().enumerate() {
            assert_eq!(tipo as usize, lugar);
        }
        for (lugar, fim) in Fim::TODOS.into_iter().enumerate() {
            assert_eq!(fim as usize, lugar);
        }
    }
}
