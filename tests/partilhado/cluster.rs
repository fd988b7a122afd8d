//! Um etcd de verdade, de um membro ou três, em portas que o sistema escolheu, e o que lhe acontece.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use testes::{Signal, ate};

use crate::elos::Elos;
use crate::vaga::Vaga;

#[derive(Debug)]
struct Membro {
    porta: u16,
    opcoes: Vec<String>,
    dados: PathBuf,
    processo: Option<Child>,
}

/// Os membros, e as pastas deles.
#[derive(Debug)]
pub struct Cluster {
    membros: Vec<Membro>,
    elos: Elos,
    pasta: tempfile::TempDir,
    /// A última a acabar, com os membros já mortos.
    _vaga: Vaga,
}

fn porta() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Cluster {
    /// Abre um cluster de `quantos` membros, com as opções de eleição que a documentação recomenda; `None` se não
    /// há um etcd nesta máquina, e então o teste diz que foi pulado.
    pub fn abrir(quantos: usize, opcoes: &[&str]) -> Option<Self> {
        if Command::new("etcd").arg("--version").stdout(Stdio::null()).status().is_err() {
            println!("pulado: não há etcd (apt-get install etcd-server)");
            return None;
        }
        let vaga = Vaga::esperar();
        let pasta = tempfile::tempdir().unwrap();
        let elos = Elos::default();
        let url = |porta: u16| format!("http://127.0.0.1:{porta}");
        let portas: Vec<(u16, u16, u16)> = (0..quantos)
            .map(|n| {
                let par = porta();
                (porta(), par, elos.diante_de(n, par))
            })
            .collect();
        let todos: Vec<String> =
            portas.iter().enumerate().map(|(n, (.., par))| format!("m{n}={}", url(*par))).collect();
        let membro = |(n, (cliente, par, por_fora)): (usize, &(u16, u16, u16))| {
            let dados = pasta.path().join(format!("m{n}"));
            let mut linha: Vec<String> = [
                ("--name", format!("m{n}")),
                ("--data-dir", dados.to_str().unwrap().to_owned()),
                ("--listen-client-urls", url(*cliente)),
                ("--advertise-client-urls", url(*cliente)),
                ("--listen-peer-urls", url(*par)),
                ("--initial-advertise-peer-urls", url(*por_fora)),
                ("--initial-cluster", todos.join(",")),
                ("--heartbeat-interval", "50".into()),
                ("--election-timeout", "500".into()),
            ]
            .into_iter()
            .flat_map(|(opcao, valor)| [opcao.to_owned(), valor])
            .collect();
            linha.extend(opcoes.iter().map(|opcao| (*opcao).to_owned()));
            Membro { porta: *cliente, opcoes: linha, dados, processo: None }
        };
        let membros = portas.iter().enumerate().map(membro).collect();
        let mut cluster = Cluster { membros, elos, pasta, _vaga: vaga };
        (0..quantos).for_each(|membro| cluster.levantar(membro));
        cluster.esperar_um_lider();
        Some(cluster)
    }

    /// Onde estão os membros, como o `--partilhado` o quer.
    pub fn urls(&self) -> String {
        self.urls_desde(0)
    }

    /// Os mesmos, a partir de um: é a ele que se pergunta primeiro.
    pub fn urls_desde(&self, primeiro: usize) -> String {
        self.urls_por(primeiro, |_, porta| porta)
    }

    /// Os mesmos, por uma rede que se corta como a que há entre eles.
    pub fn urls_pela_rede(&self, primeiro: usize) -> String {
        self.urls_por(primeiro, |membro, porta| self.elos.diante_de(membro, porta))
    }

    fn urls_por(&self, primeiro: usize, por: impl Fn(usize, u16) -> u16) -> String {
        let membros = (0..self.membros.len()).map(|n| (primeiro + n) % self.membros.len());
        let url = |n: usize| format!("http://127.0.0.1:{}", por(n, self.membros[n].porta));
        membros.map(url).collect::<Vec<_>>().join(",")
    }

    /// A porta de um membro.
    pub fn porta(&self, membro: usize) -> u16 {
        self.membros[membro].porta
    }

    /// Abre um membro, com os dados que já tinha.
    pub fn levantar(&mut self, membro: usize) {
        let membro = &mut self.membros[membro];
        let mut comando = Command::new("etcd");
        comando.args(&membro.opcoes).stdout(Stdio::null()).stderr(Stdio::null());
        membro.processo = Some(comando.spawn().unwrap());
    }

    /// `kill -9`.
    pub fn derrubar(&mut self, membro: usize) {
        if let Some(mut processo) = self.membros[membro].processo.take() {
            let _ = processo.kill();
            let _ = processo.wait();
        }
    }

    /// Manda um sinal a um membro.
    pub fn sinal(&self, membro: usize, sinal: Signal) {
        let processo = self.membros[membro].processo.as_ref().unwrap();
        let pid = rustix::process::Pid::from_child(processo);
        rustix::process::kill_process(pid, sinal).unwrap();
    }

    pub fn esperar_um_lider(&self) -> usize {
        ate("o etcd ter um líder", || self.lider())
    }

    /// Quem é o líder, se os membros já têm um.
    pub fn lider(&self) -> Option<usize> {
        (0..self.membros.len()).find(|membro| {
            let Some(estado) = self.pedir(*membro, "/v3/maintenance/status", "{}") else {
                return false;
            };
            let Ok(estado) = serde_json::from_str::<Value>(&estado) else {
                return false;
            };
            let este = &estado["header"]["member_id"];
            este.is_string() && estado["leader"] == *este
        })
    }

    /// Corta a rede entre um membro e os outros; quem lhe chega por [`urls`](Self::urls) continua a chegar.
    pub fn cortar(&self, membro: usize) {
        let estado = self.perguntar(membro, "/v3/maintenance/status", "{}");
        let id: u64 = estado["header"]["member_id"].as_str().unwrap().parse().unwrap();
        self.elos.cortar(membro, format!("{id:x}"));
    }

    /// A rede volta.
    pub fn emendar(&self) {
        self.elos.emendar();
    }

    /// Escreve até o etcd não ter mais lugar.
    pub fn encher(&self) {
        let lixo = format!("{{\"key\":\"bGl4bw==\",\"value\":\"{}\"}}", "A".repeat(64 * 1024));
        let recusou = |corpo: String| corpo.contains("database space exceeded");
        ate("o etcd sem lugar", || {
            self.pedir(0, "/v3/kv/put", &lixo).is_some_and(recusou).then_some(())
        });
    }

    /// Dá-lhe lugar, como a documentação diz: esquece o passado, menos as últimas revisões, encolhe os arquivos e
    /// desarma os alarmes.
    pub fn esvaziar(&self) {
        let esquecer = self.revisao() - 10;
        self.compactar(esquecer);
        for membro in 0..self.membros.len() {
            self.perguntar(membro, "/v3/maintenance/defragment", "{}");
        }
        let alarmes = self.perguntar(0, "/v3/maintenance/alarm", "{\"action\":\"GET\"}");
        for alarme in alarmes["alarms"].as_array().unwrap() {
            let membro = alarme["memberID"].as_str().unwrap();
            let corpo = format!(
                "{{\"action\":\"DEACTIVATE\",\"memberID\":\"{membro}\",\"alarm\":\"NOSPACE\"}}"
            );
            self.perguntar(0, "/v3/maintenance/alarm", &corpo);
        }
    }

    /// Esquece o que houve antes desta revisão.
    pub fn compactar(&self, revisao: u64) {
        let corpo = format!("{{\"revision\":\"{revisao}\",\"physical\":true}}");
        self.perguntar(0, "/v3/kv/compaction", &corpo);
    }

    /// Escreve uma chave, ou apaga-a, e diz o que ela guardava.
    pub fn escrever(&self, chave: &str, valor: Option<&str>) -> Option<String> {
        let chave = STANDARD.encode(chave);
        let (caminho, corpo) = match valor {
            Some(valor) => {
                ("put", json!({ "key": chave, "value": STANDARD.encode(valor), "prev_kv": true }))
            }
            None => ("deleterange", json!({ "key": chave, "prev_kv": true })),
        };
        let feito = self.perguntar(0, &format!("/v3/kv/{caminho}"), &corpo.to_string());
        let havia = feito["prev_kv"]["value"].as_str().or(feito["prev_kvs"][0]["value"].as_str())?;
        Some(String::from_utf8(STANDARD.decode(havia).unwrap()).unwrap())
    }

    /// Põe aqui todas as chaves de outro.
    pub fn copiar(&self, outro: &Cluster) {
        let todas = outro.perguntar(0, "/v3/kv/range", "{\"key\":\"AA==\",\"range_end\":\"AA==\"}");
        for par in todas["kvs"].as_array().unwrap() {
            let corpo = json!({ "key": par["key"], "value": par["value"] });
            self.perguntar(0, "/v3/kv/put", &corpo.to_string());
        }
    }

    /// Uma cópia dos dados de um membro parado.
    pub fn guardar(&self, membro: usize) -> PathBuf {
        let copia = self.pasta.path().join("copia");
        copiar_pasta(&self.membros[membro].dados, &copia);
        copia
    }

    /// Troca os dados de um membro parado pelos de uma cópia.
    pub fn repor_dados(&self, membro: usize, copia: &Path) {
        let dados = &self.membros[membro].dados;
        std::fs::remove_dir_all(dados).unwrap();
        copiar_pasta(copia, dados);
    }

    /// Um pedido a um membro, que tem de o aceitar.
    fn perguntar(&self, membro: usize, caminho: &str, corpo: &str) -> Value {
        let resposta = self.pedir(membro, caminho, corpo).unwrap();
        let resposta: Value = serde_json::from_str(&resposta).unwrap();
        assert!(resposta["error"].is_null(), "{caminho}: {resposta}");
        resposta
    }

    /// A revisão do primeiro membro.
    pub fn revisao(&self) -> u64 {
        let lido = self.perguntar(0, "/v3/kv/range", "{\"key\":\"eA==\"}");
        lido["header"]["revision"].as_str().unwrap().parse().unwrap()
    }

    /// Um pedido a um membro; `None` se ele não responde.
    pub fn pedir(&self, membro: usize, caminho: &str, corpo: &str) -> Option<String> {
        let mut fluxo = TcpStream::connect(("127.0.0.1", self.membros[membro].porta)).ok()?;
        fluxo.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
        let tamanho = corpo.len();
        let pedido = format!("POST {caminho} HTTP/1.0\r\nContent-Length: {tamanho}\r\n\r\n{corpo}");
        fluxo.write_all(pedido.as_bytes()).ok()?;
        let mut resposta = String::new();
        fluxo.read_to_string(&mut resposta).ok()?;
        Some(resposta.split_once("\r\n\r\n")?.1.to_owned())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.elos.emendar();
        for membro in 0..self.membros.len() {
            if self.membros[membro].processo.is_some() {
                self.sinal(membro, Signal::CONT);
            }
            self.derrubar(membro);
        }
    }
}

fn copiar_pasta(de: &Path, para: &Path) {
    let copiou = Command::new("cp").arg("-r").args([de, para]).status().unwrap();
    assert!(copiou.success());
}
